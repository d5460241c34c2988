"""Where calls go and how that ends: loops, threads, processes, changes while requests are under way."""

import asyncio
import gc
import os
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from core.errors import BadRequest, Misconfigured, NoTarget, StoreUnavailable
from core.library import (
    ChatRequest,
    GroqProvider,
    LLMProvider,
    Orchestrator,
    ProviderConfig,
    ProviderFactory,
    ProviderRegistry,
    Scope,
    get_provider_manager,
    initialize_provider_system,
    orchestrator,
    user_message,
    using,
)
from tests.core.fakes import run

HELLO = [user_message("Hello")]
ROOT = Path(__file__).parents[3]


def is_open(house):
    return any(not one.ended for one in house.scope._opened.values())


def test_one_loop_after_another(house):
    for _ in range(3):
        assert run(orchestrator.chat_completion(HELLO)).provider == "azure"
        assert not is_open(house), "the loop's end closes what it opened"


def test_loops_in_threads_at_the_same_time(house):
    said = []

    def work(number):
        said.append(run(orchestrator.chat_completion([user_message(f"n{number}")])).content)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(text.rpartition("said ")[2] for text in said) == [f'"n{number}".' for number in range(6)]


def test_many_requests_share_one_gateway(house):
    async def work():
        await asyncio.gather(*(orchestrator.chat_completion(HELLO) for _ in range(20)))
        return len(house.scope._opened)

    assert run(work()) == 1


def test_who_waits_for_the_opening_may_leave(house):
    async def work():
        first = asyncio.create_task(orchestrator.chat_completion(HELLO))
        second = asyncio.create_task(orchestrator.chat_completion(HELLO))
        await asyncio.sleep(0)
        first.cancel()
        return (await second).provider

    assert run(work()) == "azure"


def test_a_change_is_for_the_next_request_and_what_is_under_way_ends_as_it_began(house):
    class Held(LLMProvider):
        asked: asyncio.Event
        go: asyncio.Event

        async def generate(self, model, prompt):
            self.asked.set()
            await self.go.wait()
            return "done"

    async def work():
        held: Any = Held()
        held.asked, held.go = asyncio.Event(), asyncio.Event()
        ProviderFactory.register_provider("held", held)
        waiting = asyncio.create_task(orchestrator.chat_completion(HELLO, preferred_provider="held"))
        await held.asked.wait()
        ProviderFactory.register_provider("later", Conversing())
        assert (await orchestrator.chat_completion(HELLO, preferred_provider="later")).content == "hi"
        held.go.set()
        return (await waiting).content, len(house.scope._opened)

    assert run(work()) == ("done", 1)


class Conversing:
    async def generate(self, messages):
        return "hi"


def test_configuration_is_read_anew_and_who_was_registered_stays(house):
    ProviderFactory.register_provider("mine", Conversing())
    assert run(orchestrator.chat_completion(HELLO)).provider == "azure"
    house.environ["CHAT_PROVIDER"] = "groq"
    assert run(orchestrator.chat_completion(HELLO)).provider == "azure"
    initialize_provider_system()
    assert run(orchestrator.chat_completion(HELLO)).provider == "groq"
    assert run(orchestrator.chat_completion(HELLO, preferred_provider="mine")).provider == "mine"


def test_what_cannot_be_configured_is_said_when_the_system_is_initialized(house):
    house.environ["OPENAI_BASE_URL"] = "not an address"
    with pytest.raises(Misconfigured, match="OPENAI_BASE_URL"):
        initialize_provider_system()


def test_nobody_configured_says_what_to_set(tmp_path):
    with using(Scope(environ={"PATCHBAY_HOME": str(tmp_path)}, dotenv=None)):
        with pytest.raises(NoTarget, match="AZURE_OPENAI_KEY"):
            run(orchestrator.chat_completion(HELLO))
        assert ProviderFactory.get_available_providers("llm_chat") == []


def test_a_state_that_cannot_be_opened_is_tried_again(house, tmp_path):
    blocked = tmp_path / "home"
    blocked.write_text("in the way")
    house.environ["PATCHBAY_HOME"] = str(blocked)
    house.scope.reload()

    async def work():
        with pytest.raises(StoreUnavailable):
            await orchestrator.chat_completion(HELLO)
        blocked.unlink()
        return (await orchestrator.chat_completion(HELLO)).provider

    assert run(work()) == "azure"


def test_it_can_be_closed_by_hand_and_used_again(house):
    async def work():
        await orchestrator.chat_completion(HELLO)
        await house.scope.close()
        await house.scope.close()
        assert not is_open(house)
        return (await orchestrator.chat_completion(HELLO)).provider

    assert run(work()) == "azure"


def test_a_folder_has_its_own_dotenv(house, tmp_path, monkeypatch):
    for name in os.environ:
        if name.endswith(("_KEY", "_PROVIDER", "_ENDPOINT", "_URL")):
            monkeypatch.delenv(name)
    lines = [f"{name}={value}" for name, value in house.environ.items() if not name.startswith(("AZURE", "azure"))]
    (tmp_path / ".env").write_text("\n".join(lines))
    there = Orchestrator(working_dir=tmp_path)
    assert there.scope.available()[0] == "together"
    assert run(there.chat_completion(HELLO)).provider == "together"


def test_counters_outlive_a_loop(house):
    run(orchestrator.chat_completion(HELLO))
    run(orchestrator.chat_completion(HELLO))
    found = ProviderRegistry().get_provider("azure")
    assert found is not None and found.config.request_count == 2


SCRIPT = """
import asyncio, sys
from core.library import orchestrator, user_message
loop = asyncio.new_event_loop()
first = loop.run_until_complete(orchestrator.chat_completion([user_message("Hello")]))
second = asyncio.run(orchestrator.chat_completion([user_message("Hello")]))
print(first.metadata["decision_id"], second.metadata["decision_id"])
"""


def test_a_program_may_just_end(house, tmp_path):
    """One loop is ended and one is not: no warning, no waiting, and both receipts are kept."""
    environ = {**house.environ, "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", SCRIPT],
        cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert (done.returncode, done.stdout.count(" ")) == (0, 1), done.stderr
    own = [line for line in done.stderr.splitlines() if "unclosed event loop" not in line]  # which is the script's own
    assert "Unclosed" not in "".join(own) and "Traceback" not in "".join(own), done.stderr
    with sqlite3.connect(tmp_path / "home" / "state.db") as state:
        kept = {row[0] for row in state.execute("SELECT sk FROM items")}
    state.close()
    assert set(done.stdout.split()) <= kept


def test_importing_it_loads_nothing_until_something_is_named():
    code = (
        "import sys, core.library; before = [n for n in sys.modules if n.startswith('core.')];"
        "from core.library import ProviderCapability; print(before, 'fastapi' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30)
    before, *_ = done.stdout.rpartition("]")
    assert before == "['core.library'", done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("False")


def test_a_stream_that_nobody_finishes_is_settled_and_let_go(house):
    async def work():
        stream = await get_provider_manager().chat_completion(ChatRequest(HELLO), stream=True)
        async for _ in stream:
            break
        await asyncio.sleep(0)
        return stream.result

    assert run(work()) is None
    assert not is_open(house)


def test_an_error_names_its_field(house):
    wrong: list[tuple[Any, str]] = [
        ([], "at least one"),
        ({"role": "user"}, "list of messages"),
        ([{"role": "x"}], "role"),
    ]
    for messages, words in wrong:
        with pytest.raises(BadRequest, match=words):
            run(orchestrator.chat_completion(messages))
    with pytest.raises(BadRequest, match="provider 'nobody' is not known"):
        run(orchestrator.chat_completion(HELLO, preferred_provider="nobody"))
    with pytest.raises(BadRequest, match="capability 'smell' is not known"):
        ProviderFactory.get_available_providers("smell")
    with pytest.raises(Misconfigured, match=r"ProviderConfig.base_url: expected an http"):
        ProviderFactory.create_provider("openai", "chat", ProviderConfig(base_url="nowhere")).scope  # noqa: B018 - made now


def test_a_provider_that_is_gone_takes_its_service_along(house):
    """An instance with a configuration of its own has a service of its own; many of them must not add up."""

    async def work():
        for _ in range(3):
            await GroqProvider(api_key="gsk-1").generate(HELLO)
        gc.collect()
        while sum(thread.name == "patchbay-sqlite" for thread in threading.enumerate()) > before:  # noqa: ASYNC110 - see below
            await asyncio.sleep(0.01)  # threads tell nobody when they end

    before = sum(thread.name == "patchbay-sqlite" for thread in threading.enumerate())
    run(work())


@pytest.mark.parametrize("steps", range(6))
def test_a_closing_that_is_cancelled_is_finished_all_the_same(house, steps):
    """An ending loop cancels all tasks, and one of them may be closing a service."""

    async def work():
        await orchestrator.chat_completion(HELLO)
        (opened,) = house.scope._opened.values()
        closing = asyncio.create_task(opened.close())
        for _ in range(steps):
            await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        await house.scope.close()
        return opened._service._lasting

    lasting = run(work())
    assert lasting.store._closed and lasting.transport._session is None
