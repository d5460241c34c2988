"""Blobs as files of one folder. A file is either whole or not there."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from core.backends.ports import checked_key, checked_prefix
from core.errors import StoreUnavailable

T = TypeVar("T")

_SLASH = ","  # stands for / in file names and in no key: `a` and `a/b` can both be there, and no key leads elsewhere
_UNFINISHED = ".unfinished-"  # no key begins with a dot


class FolderBlobs:
    def __init__(self, path: Path) -> None:
        self._path = path

    async def put(self, key: str, data: bytes, content_type: str) -> None:  # noqa: ARG002 - nobody serves files from here
        file = self._file(key)
        await self._run(lambda: self._write(file, data))

    async def get(self, key: str) -> bytes | None:
        file = self._file(key)

        def work() -> bytes | None:
            with suppress(FileNotFoundError):
                return file.read_bytes()
            return None

        return await self._run(work)

    async def delete(self, key: str) -> None:
        file = self._file(key)
        await self._run(lambda: file.unlink(missing_ok=True))

    async def list(self, prefix: str = "") -> Sequence[str]:
        begin = checked_prefix(prefix).replace("/", _SLASH)

        def work() -> Sequence[str]:
            with suppress(FileNotFoundError):
                names = [name for name in os.listdir(self._path) if name.startswith(begin) and name[0] != "."]  # noqa: PTH208 - names alone
                return sorted(name.replace(_SLASH, "/") for name in names)
            return []

        return await self._run(work)

    async def close(self) -> None:
        pass

    def _file(self, key: str) -> Path:
        return self._path / checked_key(key).replace("/", _SLASH)

    def _write(self, file: Path, data: bytes) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=self._path)
        try:
            with os.fdopen(handle, "wb") as unfinished:
                unfinished.write(data)
                unfinished.flush()
                os.fsync(handle)
            Path(name).replace(file)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    async def _run(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.to_thread(work)
        except OSError as error:
            raise StoreUnavailable(f"{self._path}: {error}") from error
