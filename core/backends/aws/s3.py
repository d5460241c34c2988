"""Blobs in one S3 bucket."""

from collections.abc import Sequence

from core.backends.aws.calls import Calls, Client, Refused
from core.backends.ports import checked_key, checked_prefix


class S3Blobs:
    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._calls = Calls("s3", f"S3 bucket {bucket}")

    async def open(self) -> "S3Blobs":
        await self._calls.open()
        return self

    async def put(self, key: str, data: bytes, content_type: str) -> None:
        where = {"Bucket": self._bucket, "Key": checked_key(key)}
        await self._calls.run(lambda client: client.put_object(**where, Body=data, ContentType=content_type))

    async def get(self, key: str) -> bytes | None:
        where = {"Bucket": self._bucket, "Key": checked_key(key)}

        def work(client: Client) -> bytes:
            data: bytes = client.get_object(**where)["Body"].read()
            return data

        try:
            return await self._calls.run(work, expects={"NoSuchKey"})
        except Refused:
            return None

    async def delete(self, key: str) -> None:
        where = {"Bucket": self._bucket, "Key": checked_key(key)}
        await self._calls.run(lambda client: client.delete_object(**where))

    async def list(self, prefix: str = "") -> Sequence[str]:
        where = {"Bucket": self._bucket, "Prefix": checked_prefix(prefix)}

        def work(client: Client) -> Sequence[str]:
            pages = client.get_paginator("list_objects_v2").paginate(**where)
            return [one["Key"] for page in pages for one in page.get("Contents", ())]

        return await self._calls.run(work)

    async def close(self) -> None:
        await self._calls.close()
