"""Objects in buckets that are not ours: read, and never written."""

from core.backends.aws.calls import Calls, Client, Refused

_ABSENT = frozenset({"NoSuchKey", "NoSuchBucket", "404"})
_DENIED = frozenset({"AccessDenied", "403", "AllAccessDisabled"})


class NotReadable(Exception):
    """There is no such object, or it is not for us, or it is too large."""


class Objects:
    def __init__(self) -> None:
        self._calls = Calls("s3", "S3")

    async def open(self) -> "Objects":
        await self._calls.open()
        return self

    async def read(self, bucket: str, key: str, most_bytes: int) -> bytes:
        def work(client: Client) -> bytes:
            answer = client.get_object(Bucket=bucket, Key=key)
            with answer["Body"] as body:
                if answer["ContentLength"] > most_bytes:
                    raise NotReadable(f"it has {answer['ContentLength']} bytes, and at most {most_bytes} are read")
                data: bytes = body.read()
            return data

        try:
            return await self._calls.run(work, expects=_ABSENT | _DENIED)
        except Refused as refusal:
            if str(refusal) in _ABSENT:
                raise NotReadable("there is no such object") from None
            raise NotReadable("this gateway may not read it; its role needs s3:GetObject there") from None

    async def close(self) -> None:
        await self._calls.close()
