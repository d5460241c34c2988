"""One place for instances of the cache: SQLite and a folder, or DynamoDB and S3."""

from contextlib import AsyncExitStack

import pytest

from core.config.settings import Settings
from tests.core.cache.instances import Place
from tests.core.fakes import FakeClock, run


@pytest.fixture(params=["laptop", "aws"])
def place(request, tmp_path):
    """Run a scene with a Place; time stands still unless `clock` says otherwise."""
    aws = request.getfixturevalue("aws") if request.param == "aws" else None
    settings = Settings(home=tmp_path, table=aws and aws.table(), bucket=aws and aws.bucket())

    def work(scene, clock=None):
        async def scenes():
            async with AsyncExitStack() as stack:
                return await scene(Place(settings, clock or FakeClock(), stack))

        return run(scenes())

    return work
