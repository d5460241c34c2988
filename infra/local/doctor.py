"""What is wrong here, and the fix: small checks, each of which says a fact. None of them changes anything."""

import asyncio
import os
import platform
import re
import shutil
import socket
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from functools import partial
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Any

import httpx

from core import __version__, bootstrap
from core.bootstrap import Service
from core.clock import SystemClock
from core.config.files import read_dotenv
from core.config.run_time import Changes
from core.config.settings import Settings
from core.errors import Misconfigured, PatchbayError
from core.http.guards import is_loopback
from core.providers.registry import Registry
from infra.local import routing
from infra.local.checkup import Checkup
from infra.local.door import NoServer, client_of, greeted, known_server
from infra.local.finding import Finding
from infra.local.server import check_reach, detected, fleet_here, simulated
from infra.local.terminal import DOTENV

_ABOVE = ("this process", "run time", "found here", "environment", ".env")  # the layers above files
_SPARE = 2**30  # bytes of disk below which we warn
_FULL = 50 * 2**20
_INSTALL = "run `make run`, or pip install -e '.[local]'"


async def examined(*, offline: bool, patience: float) -> list[Finding]:
    """All checks. A configuration that cannot be read ends those that need it, and only those."""
    findings = [python(), packages()]
    try:
        build = partial(bootstrap.build, environ=os.environ, dotenv=DOTENV)
        service = build()
        check_reach(service.settings)
        changes = await changed(service)
        service = build(changes=changes)
    except Misconfigured as error:
        fix = f"correct {error.param} and start again" if error.param else None
        return [*findings, Finding("configuration", "fail", error.message, fix)]
    if not offline and (found := await detected(service.settings, service.registry)):
        service = build(changes=changes, found=found)
    running, status = await server(service, patience)
    checkup = Checkup(service, offline=offline, patience=patience)
    real = service.settings.configured or not is_loopback(service.settings.host)
    routed = service if real else build(changes=changes, pinned=await simulators())
    return [
        *findings,
        *configuration(service.settings, changes, service.rules.settle(changes)[1].left_out.values()),
        running,
        disk(service.settings.home),
        await state(service.settings, patience),
        *await checkup.findings(),
        *await routing.findings(routed, status, simulated=routed is not service),
    ]


async def simulators() -> dict[str, str]:
    """Settings that a server would have where nothing is configured."""
    fleet = fleet_here()
    await fleet.start()
    try:
        return simulated(fleet, Registry())
    finally:
        await fleet.stop()


def python() -> Finding:
    said = f"{platform.python_version()} on {platform.system()} {platform.machine()}"
    if sys.version_info < (3, 11):  # noqa: UP036 - whoever runs this may have forced it onto an older one
        return Finding("python", "fail", said, "install Python 3.11 or newer")
    return Finding("python", "ok", said)


def packages() -> Finding:
    """Ours, and what it needs: there, and not older than it asks for."""
    shown, wrong = [], []
    try:
        asked = requires("patchbay") or []
    except PackageNotFoundError:
        return Finding("packages", "fail", "patchbay is not installed, only its source is here", _INSTALL)
    for line in asked:
        found = re.match(r"([\w.-]+)>=([\d.]+)", line)
        extra = re.search(r"extra == ['\"](\w+)['\"]", line)
        if found is None or (extra and extra[1] != "local") or ("win32" in line and sys.platform == "win32"):
            continue
        name, least = found[1], found[2]
        try:
            there = version(name)
        except PackageNotFoundError:
            wrong.append(f"{name} is missing")
            continue
        shown.append(f"{name} {there}")
        if _number(there) < _number(least):
            wrong.append(f"{name} {there} is older than {least}")
    said = f"patchbay {__version__}"
    if wrong:
        return Finding("packages", "fail", f"{said}: {', '.join(wrong)}", _INSTALL)
    return Finding("packages", "ok", f"{said}; {', '.join(shown)}")


def _number(text: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", text)]


async def changed(service: Service) -> Changes:
    """What was changed at run time; a state that is not there yet is not made for this."""
    settings = service.settings
    if settings.table is None and not (settings.home / "state.db").is_file():
        return Changes()
    try:
        return await bootstrap.changes_in(service)
    except (PatchbayError, ImportError):
        return Changes()  # the check of the state meets the same, and says it


def configuration(settings: Settings, changes: Changes, left_out: Iterable[str]) -> list[Finding]:
    """Where it comes from, and what its own reader had to say."""
    if DOTENV.is_file():
        over = sorted(name for name in read_dotenv(DOTENV) if os.environ.get(name))
        won = f"; the environment wins for {', '.join(over)}" if over else ""
        said = f"the environment, then {DOTENV.resolve()}{won}"
    else:
        said = f"the environment; there is no {DOTENV} in {Path.cwd()}"
    files = [one for one in dict.fromkeys(origin.layer for origin in settings.origins.values()) if one not in _ABOVE]
    if files:
        said = f"{said}, then {', '.join(files)}"
    if changes.values:
        said = f"changed at run time ({', '.join(sorted(changes.values))}; see `patchbay config history`), then {said}"
    odd = [Finding("configuration", "warn", one) for one in (*settings.warnings, *left_out)]
    return [Finding("configuration", "ok", said), *odd]


async def server(service: Service, patience: float) -> tuple[Finding, dict[str, Any] | None]:
    """The one that commands would ask, and what it says of itself."""
    url, headers = known_server()
    try:
        async with client_of(url, patience) as client:
            said = await greeted(client, url, headers)
            answer = None if said is None else await client.get("/api/ai/status")
    except (NoServer, httpx.HTTPError) as error:
        return Finding("server", "fail", str(error), "stop that program, or set PORT to a free one"), None
    if said is None or answer is None:
        return _port(service.settings), None
    if answer.status_code == 401:
        fix = "set the same PATCHBAY_API_KEY here as where it was started"
        return Finding("server", "fail", f"runs on {url} and refuses the gateway key", fix), None
    if said["version"] != __version__:
        fix = "stop it and start it again"
        return Finding("server", "warn", f"{url} runs version {said['version']}, this is {__version__}", fix), None
    status: dict[str, Any] = answer.json()
    if status["simulated"] and service.settings.configured:
        fix = "start it again to use what is configured"
        words = f"{url} answers with simulators, though providers are configured here"
        return Finding("server", "warn", words, fix), status
    if not status["simulated"] and not service.settings.configured:
        fix = "run this where it was started, or set the same here"
        words = f"{url} has providers, though none is configured here: it was started with other settings"
        return Finding("server", "warn", words, fix), status
    return Finding("server", "ok", f"runs on {url}, version {said['version']}"), status


def _port(settings: Settings) -> Finding:
    """Whether one could be started."""
    where = f"{settings.host}:{settings.port}"
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            said = f"none runs, and {where} cannot be listened on ({error.strerror})"
            return Finding("server", "fail", said, "set PORT to a free one, and HOST to an address of this machine")
    return Finding("server", "ok", f"none runs; {where} is free (commands answer themselves)")


def _existing(path: Path) -> Path:
    """The path, or the nearest folder above it that is there."""
    path = path.absolute()
    return next(one for one in (path, *path.parents) if one.exists())


def disk(home: Path) -> Finding:
    free = shutil.disk_usage(_existing(home)).free
    said = f"{free / 2**30:.1f} GiB free for {home}"
    if free < _SPARE:
        return Finding("disk", "fail" if free < _FULL else "warn", said, "free space, or set PATCHBAY_HOME elsewhere")
    return Finding("disk", "ok", said)


async def state(settings: Settings, patience: float) -> Finding:
    """The table answers, or the file can be written."""
    if not settings.table:
        return _file(settings.home)
    said = f"table {settings.table}"
    try:
        async with asyncio.timeout(patience):
            store = await bootstrap.open_store(settings, SystemClock())
            try:
                await store.get("DOCTOR", "doctor")
            finally:
                await store.close()
    except ImportError:
        return Finding("state", "fail", f"{said} needs boto3", "pip install -e '.[aws]'")
    except PatchbayError as error:
        fix = "check PATCHBAY_TABLE, AWS_REGION and credentials; keys pk and sk are strings"
        return Finding("state", "fail", f"{said}: {error.message}", fix)
    except TimeoutError:
        fix = "check AWS_REGION, AWS_ENDPOINT_URL and the network"
        return Finding("state", "fail", f"{said} did not answer in {patience:g} s", fix)
    return Finding("state", "ok", f"{said} answers")


def _file(home: Path) -> Finding:
    path, there = home / "state.db", _existing(home)
    fix = f"make {there} writable for this user, or set PATCHBAY_HOME to a folder that is"
    if not there.is_dir():
        return Finding("state", "fail", f"{there} is not a folder", "set PATCHBAY_HOME to a folder")
    try:
        with tempfile.TemporaryFile(dir=there):
            pass  # permissions alone do not tell: not of /proc, not of what is mounted to be read
    except OSError as error:
        return Finding("state", "fail", f"{there} cannot be written ({error.strerror})", fix)
    if not path.exists():
        return Finding("state", "ok", f"{path} will be made by the first request")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=rw", uri=True, timeout=1)) as db:
            db.execute("BEGIN IMMEDIATE")
            (items,) = db.execute("SELECT count(*) FROM items").fetchone()
            db.execute("ROLLBACK")
    except sqlite3.Error as error:
        mend = fix if "readonly" in str(error) else "move the file away: receipts begin anew"
        busy = "locked" in str(error)
        said = f"{path}: {error}"
        return Finding(
            "state", "warn" if busy else "fail", said, "try again; another process writes" if busy else mend
        )
    at = time.strftime("%Y-%m-%d %H:%M", time.localtime(path.stat().st_mtime))
    return Finding("state", "ok", f"{path} can be written ({items} items, last change {at})")
