"""What is read of buckets that are not ours, on S3."""

import pytest

from core.backends.aws.objects import NotReadable, Objects
from tests.core.fakes import run


def read(bucket, key, most=1000):
    async def scene():
        objects = await Objects().open()
        try:
            return await objects.read(bucket, key, most)
        finally:
            await objects.close()

    return run(scene())


def test_an_object_of_any_name_is_read_and_a_large_one_is_not(aws):
    bucket, key = aws.bucket(), "talks/ä b (1)?.wav"
    aws.s3.put_object(Bucket=bucket, Key=key, Body=b"sound")
    assert read(bucket, key) == b"sound"
    with pytest.raises(NotReadable, match="it has 5 bytes, and at most 4 are read"):
        read(bucket, key, 4)


def test_what_is_not_there_is_said(aws):
    with pytest.raises(NotReadable, match="no such object"):
        read(aws.bucket(), "none")
    with pytest.raises(NotReadable, match="no such object"):
        read("there-is-no-such-bucket", "none")
