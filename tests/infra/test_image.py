"""The container image without a container engine: what its Dockerfile says, and its steps replayed in a folder."""

import contextlib
import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from infra.local.place import announced
from tests.aws import ENVIRON
from tests.harness import HELLO

ROOT = Path(__file__).parent.parent.parent
KEY = "g4teW0rd5512Lmnop"
USER = 10001
SITE = sysconfig.get_paths()["purelib"]


def instructions(text: str) -> list[tuple[str, str]]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    whole = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in whole.splitlines() if line.strip()]


DOCKERFILE = instructions((ROOT / "infra/Dockerfile").read_text())
LAST = max(place for place, (name, _) in enumerate(DOCKERFILE) if name == "FROM")


def said(name: str, *, stage: slice = slice(LAST, None)) -> list[str]:
    return [rest for found, rest in DOCKERFILE[stage] if found == name]


def sent(path: str) -> bool:
    """Whether .dockerignore lets a file into the build; the last rule that fits decides."""
    found = True
    whole = [path, *(str(parent) for parent in Path(path).parents if str(parent) != ".")]
    for rule in (ROOT / ".dockerignore").read_text().split("\n"):
        if not rule or rule.startswith("#"):
            continue
        pattern = rule.removeprefix("!").removeprefix("**/")
        tails = ["/".join(Path(one).parts[place:]) for one in whole for place in range(len(Path(one).parts))]
        candidates = tails if "**/" in rule else whole
        if any(fnmatch.fnmatchcase(one, pattern) for one in candidates):
            found = rule.startswith("!")
    return found


def context() -> list[str]:
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True, timeout=20)
    return [name for name in done.stdout.splitlines() if sent(name) and (ROOT / name).is_file()]


class TestDockerfile:
    def test_two_stages_on_one_base_and_only_the_venv_goes_on(self):
        assert said("FROM", stage=slice(None)) == ["${BASE} AS build", "${BASE}"]
        assert said("ARG", stage=slice(0, 1)) == ["BASE=python:3.13-slim"]
        assert said("COPY") == ["--from=build /venv /venv"]

    def test_it_runs_as_a_number_that_is_not_root_and_owns_its_state(self):
        assert said("USER") == [f"{USER}:{USER}"]
        assert said("RUN") == [f"install -d -m 700 -o {USER} -g {USER} /data"]
        assert said("VOLUME") == ["/data"]
        names = [name for name, _ in DOCKERFILE[LAST:]]
        assert names.index("WORKDIR") < names.index("USER")  # or the folder would be that user's
        assert names.index("RUN") < names.index("USER")

    def test_signals_reach_the_server_itself(self):
        for name in ("ENTRYPOINT", "CMD"):
            (form,) = said(name)
            assert json.loads(form)
        (health,) = said("HEALTHCHECK")
        assert json.loads(health.partition(" CMD ")[2]) == ["python", "-Im", "infra.local.health"]

    def test_nothing_comes_from_an_address_and_all_packages_have_hashes(self):
        text = (ROOT / "infra/Dockerfile").read_text()
        assert "://" not in text
        assert "ADD" not in [name for name, _ in DOCKERFILE]
        (install,) = (rest for rest in said("RUN", stage=slice(None)) if "-r requirements.txt" in rest)
        assert "--require-hashes" in install and "--only-binary :all:" in install
        assert (ROOT / "infra/requirements.txt").read_text().count("boto3==") == 1

    def test_no_secret_has_a_place_in_it(self):
        words = r"KEY|SECRET|TOKEN|PASSWORD"
        assert not [rest for name, rest in DOCKERFILE if name in {"ARG", "ENV"} and re.search(words, rest)]

    def test_what_it_copies_is_there_and_is_sent(self):
        there = context()
        for rest in said("COPY", stage=slice(0, LAST)):
            *sources, _ = rest.split()
            for source in sources:
                assert any(name == source or name.startswith(f"{source}/") for name in there), source

    def test_nothing_else_is_sent(self):
        assert {name.split("/")[0] for name in context()} == {
            "pyproject.toml", "README.md", "core", "functions", "infra",
        }  # fmt: skip
        for name in (".env", "infra/.env", "core/.env.local", ".git/config", "tests/aws.py", ".patchbay/state.db"):
            assert not sent(name)
        assert not sent("core/__pycache__/log.cpython-313.pyc")
        assert sent("core/config/models.json")

    def test_without_an_engine_make_image_says_so(self):
        done = subprocess.run(["make", "image", "ENGINE="], cwd=ROOT, capture_output=True, text=True, timeout=20)
        assert done.returncode != 0
        assert "No docker and no podman here" in done.stdout


def lesser(folder: Path) -> tuple[str, list[str]]:
    """An interpreter, and the words before a command that make it nobody's; where nobody can, it is ourselves."""
    ours = Path(sys.executable).resolve()
    if os.geteuid() != 0 or shutil.which("setpriv") is None:
        return str(ours), []
    words = ["setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups"]
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for python in (str(ours), f"/usr/bin/{version}"):  # ours may lie in a home that is closed to others
        code = (
            f"import os, sys; sys.path.append({sysconfig.get_paths()['purelib']!r}); import orjson; print(os.__file__)"
        )
        with contextlib.suppress(OSError):
            mine, theirs = (
                subprocess.run([*who, python, "-c", code], cwd=folder, capture_output=True) for who in ([], words)
            )
            if theirs.returncode == 0 and theirs.stdout == mine.stdout:  # and not another one's library
                return python, words
    return str(ours), []


class Image:
    """A folder that looks like the image's root, made by the Dockerfile's own steps."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self._python, self._words = lesser(folder)
        self.user = USER if self._words else os.geteuid()
        self.venv, self.app = folder / "venv", folder / "app"
        self._build(folder / "build")
        self.app.mkdir()
        env = dict(word.split("=", 1) for word in shlex.split(said("ENV")[0]))
        self.env = env | {"PATH": f"{self.venv}/bin:/usr/bin:/bin", "PORT": "0", "PATCHBAY_API_KEY": KEY}
        self._homes = 0

    def _build(self, where: Path) -> None:
        for name in context():
            (where / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, where / name)
        for step in said("RUN", stage=slice(0, LAST)):
            if "--require-hashes" in step:
                # What it would install is what runs this test, from the same lock.
                site = next(self.venv.glob("lib/python*/site-packages"))
                (site / "installed.pth").write_text(SITE)
                continue
            command = step.replace("python ", f"{self._python} ", 1) if step.startswith("python -m venv") else step
            command = command.replace("pip --python", f"{sys.executable} -m pip --python")
            command = command.replace("python -m compileall", f"{self.venv}/bin/python -m compileall")
            command = re.sub(r"(?<=\s)/venv", str(self.venv), command)
            subprocess.run(["sh", "-ec", command], cwd=where, check=True, capture_output=True, timeout=50)
        for path in [self.venv, *self.venv.rglob("*")]:
            if not path.is_symlink():
                path.chmod(path.stat().st_mode & ~0o222)

    def home(self) -> str:
        self._homes += 1
        home = self.root / f"data{self._homes}"
        home.mkdir(mode=0o700)
        if self._words:
            os.chown(home, USER, USER)
        return str(home)

    def start(self, home: str, **environ: str) -> "subprocess.Popen[str]":
        command = json.loads(said("ENTRYPOINT")[0]) + json.loads(said("CMD")[0])
        return subprocess.Popen(
            [*self._words, str(self.venv / "bin" / command[0]), *command[1:]], cwd=self.app, text=True,
            env=self.env | {"PATCHBAY_HOME": home} | environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def health(self, home: str) -> tuple[int, str]:
        name, *rest = json.loads(said("HEALTHCHECK")[0].partition(" CMD ")[2])
        command = [*self._words, str(self.venv / "bin" / name), *rest]
        env = self.env | {"PATCHBAY_HOME": home}
        done = subprocess.run(command, cwd=self.app, env=env, capture_output=True, text=True, timeout=20)
        assert done.stderr == ""
        return done.returncode, done.stdout.strip()

    def files(self) -> dict[str, float]:
        return {str(path): path.lstat().st_mtime for place in (self.venv, self.app) for path in place.rglob("*")}


@pytest.fixture(scope="module")
def image():
    # Not under pytest's own folder, which is closed to other users.
    with tempfile.TemporaryDirectory(prefix="patchbay-image-") as folder:
        Path(folder).chmod(0o755)
        yield Image(Path(folder))


def address(running: "subprocess.Popen[str]") -> str:
    assert running.stdout is not None and running.stderr is not None
    for line in running.stdout:
        if found := re.match(r"Patchbay on (\S+)$", line):
            return found[1]
    raise AssertionError(running.stderr.read())


def ended(running: "subprocess.Popen[str]") -> tuple[int, str]:
    running.send_signal(signal.SIGTERM)
    _, errors = running.communicate(timeout=20)
    return running.returncode, errors


def asked(url: str) -> httpx.Response:
    return httpx.post(
        f"{url}/api/ai/chat", json=HELLO, headers={"authorization": f"Bearer {KEY}"}, trust_env=False, timeout=20
    )


class TestRunning:
    def test_it_serves_is_healthy_stops_and_writes_only_its_state(self, image):
        before, home = image.files(), image.home()
        assert image.health(home) == (1, f"no server has left a note in {home}")
        with image.start(home) as running:
            try:
                url = address(running)
                assert image.health(home) == (0, f"{url} answers 200")
                answer = asked(url)
                assert (answer.status_code, answer.json()["simulated"]) == (503, False)
            finally:
                code, errors = ended(running)
        assert code == 0, errors
        assert "Traceback" not in errors
        state = (Path(home) / "state.db").stat()
        assert state.st_size > 0
        assert state.st_uid == image.user
        assert image.files() == before
        with announced(Path(home), url):  # a process that runs and does not listen
            assert image.health(home) == (1, f"{url} does not answer: ConnectionRefusedError")

    def test_it_is_the_images_own_code_that_runs_and_it_is_compiled(self, image):
        code = "import infra.local.health as one; print(one.__file__, one.__cached__)"
        done = subprocess.run(
            [str(image.venv / "bin/python"), "-Ic", code], cwd=image.app, capture_output=True, text=True, check=True
        )
        file, cached = done.stdout.split()
        assert file.startswith(str(image.venv))
        flags = Path(cached).read_bytes()[4:8]
        assert int.from_bytes(flags, "little") == 0b01  # by hash, unchecked

    def test_its_state_can_be_in_dynamodb(self, image, aws):
        home, table = image.home(), aws.table()
        with image.start(home, **ENVIRON, AWS_ENDPOINT_URL=aws.url, PATCHBAY_TABLE=table) as running:
            try:
                url = address(running)
                decision = asked(url).headers["x-patchbay-decision"]
                assert image.health(home)[0] == 0
            finally:
                code, errors = ended(running)
        assert code == 0, errors
        assert [item["sk"]["S"] for item in aws.client.scan(TableName=table)["Items"]] == [decision]
        assert not (Path(home) / "state.db").exists()

    def test_without_a_key_it_does_not_start(self, image):
        with image.start(image.home(), PATCHBAY_API_KEY="") as running:
            _, errors = running.communicate(timeout=20)
        assert running.returncode == 1
        assert errors.strip() == (
            "patchbay: HOST (environment) is 0.0.0.0, which others can reach: set PATCHBAY_API_KEY, or HOST=127.0.0.1"
        )

    def test_a_server_that_is_ill_or_hangs_is_unhealthy(self, image):
        class Ill(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_error(503)

            def log_message(self, format, *args):  # noqa: A002 - its name in the standard library
                pass

        home = image.home()
        with HTTPServer(("127.0.0.1", 0), Ill) as ill, socket.create_server(("127.0.0.1", 0)) as mute:
            thread = Thread(target=ill.handle_request)
            thread.start()
            for place, words in ((ill.server_port, "answers 503"), (mute.getsockname()[1], "does not answer: ")):
                url = f"http://127.0.0.1:{place}"
                with announced(Path(home), url):
                    code, words_said = image.health(home)
                assert code == 1
                assert words_said.startswith(f"{url} {words}")
            thread.join(10)
