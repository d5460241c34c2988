"""The one item of an answered request: what is in it, and who may find it."""

import json
from contextlib import asynccontextmanager

import orjson
import pytest

from core.accounting import ledger
from core.accounting.ledger import SCHEMA, SHARDS, Ledger
from core.backends.embedded.sqlite import SqliteStore
from core.capabilities import Capability, Feature
from core.clock import Ids, seeded
from core.types.attempt import Attempt
from core.types.caller import ALL_SCOPES, Caller
from core.types.plan import Candidate, Exclusion, Plan
from core.types.receipt import Receipt
from core.types.request import Facts, Options, Request
from core.types.target import Target
from core.types.usage import Cost, Usage
from tests.core.fakes import FakeClock, run

DAY = 86_400
ADA = Caller(org="acme", project="search", key="key_1", scopes=ALL_SCOPES)
EVE = Caller(org="evil", project="search", key="key_9", scopes=ALL_SCOPES)
AZURE, OPENAI = Target("azure", "default", "gpt-5.4-mini"), Target("openai", "eu", "gpt-6-luna")
WORDS = "the secret plan of the company"
FACTS = Facts(
    features=frozenset({Feature.TOOLS, Feature.STREAM}),
    params=frozenset({"messages", "tools", "stream"}),
    input_tokens=42,
    max_output=100,
    messages=3,
)
PLAN = Plan(
    capability=Capability.CHAT,
    strategy="fallback",
    policy="1",
    candidates=(Candidate(target=AZURE, reasons=("number 1",)), Candidate(target=OPENAI, reasons=("number 2",))),
    excluded=(
        Exclusion(target=Target("together", "default", "llama"), code="not_configured", reason="set TOGETHER_API_KEY"),
    ),
)
ATTEMPTS = [
    Attempt(
        number=1,
        target=AZURE,
        outcome="failed",
        started_at=1_800_000_000.0,
        ms=12.345,
        decision="next",
        error="RateLimited",
        fault="account",
        why="slow down",
        status=429,
        code="limit",
        request_id="req_1",
        retry_after=7.0,
    ),
    Attempt(
        number=2,
        target=OPENAI,
        outcome="ok",
        started_at=1_800_000_000.5,
        ms=500.0,
        first_ms=80.0,
        usage=Usage(source="reported", input=10, cached_input=5, output=20, reasoning=3),
        cost=Cost(12_345),
        request_id="req_2",
    ),
]


def receipt(decision="0" * 32, caller=ADA, *, at=1_800_000_000.25, options=None, **more):
    request = Request(
        capability=Capability.CHAT,
        body={"messages": [{"role": "user", "content": WORDS}], "user": "ada@acme.example"},
        options=options or Options(),
        facts=FACTS,
        stream=True,
        route="/v1/chat/completions",
    )
    return Receipt(id=decision, at=at, started=1.0, caller=caller, request=request, **more)


def answered(decision="0" * 32, caller=ADA, **more):
    facts = {
        "plan": PLAN,
        "attempts": list(ATTEMPTS),
        "outcome": "ok",
        "target": OPENAI,
        "usage": ATTEMPTS[1].usage,
        "cost": Cost(12_345),
        "ms": 512.3456,
        "first_ms": 92.5,
        "warnings": ["temperature was not sent"],
    }
    return receipt(decision, caller, **{**facts, **more})


@asynccontextmanager
async def opened(path, clock):
    store = await SqliteStore(path / "state.db", clock).open()
    try:
        yield Ledger(store, clock)
    finally:
        await store.close()


class TestItem:
    def test_who_asked_what_where(self):
        item = ledger.item(answered())
        assert item["v"] == SCHEMA
        assert (item["org"], item["project"], item["key"]) == ("acme", "search", "key_1")
        assert (item["capability"], item["route"], item["stream"]) == ("chat", "/v1/chat/completions", True)
        assert item["at"] == 1_800_000_000.25
        assert item["exp"] > 1_800_000_000 + 365 * DAY

    def test_facts_and_no_words(self):
        item = ledger.item(answered())
        assert item["facts"]["features"] == ["stream", "tools"]
        assert item["facts"]["params"] == ["messages", "stream", "tools"]
        assert (item["facts"]["messages"], item["facts"]["input_tokens"], item["facts"]["max_output"]) == (3, 42, 100)
        written = orjson.dumps(item)
        assert WORDS.encode() not in written
        assert b"ada@acme" not in written

    def test_the_plan(self):
        item = ledger.item(answered())
        assert (item["strategy"], item["policy"]) == ("fallback", "1")
        first, second = item["candidates"]
        assert (first["provider"], first["account"], first["model"]) == ("azure", "default", "gpt-5.4-mini")
        assert (second["provider"], second["account"], second["model"]) == ("openai", "eu", "gpt-6-luna")
        assert list(first["reasons"]) == ["number 1"]
        (out,) = item["excluded"]
        assert (out["provider"], out["code"], out["reason"]) == ("together", "not_configured", "set TOGETHER_API_KEY")

    def test_what_was_asked_of_us(self):
        options = Options(
            provider="azure", model="gpt-5.4-mini", fallback=False, tier="fast", max_cost=0.5, compatibility="strict"
        )
        asked = ledger.item(answered(options=options))["asked"]
        assert (asked["provider"], asked["model"], asked["fallback"]) == ("azure", "gpt-5.4-mini", False)
        assert (asked["tier"], asked["max_cost"], asked["compatibility"]) == ("fast", 0.5, "strict")

    def test_attempts(self):
        first, second = ledger.item(answered())["attempts"]
        assert (first["n"], first["provider"], first["outcome"], first["then"]) == (1, "azure", "failed", "next")
        assert (first["error"], first["fault"], first["why"]) == ("RateLimited", "account", "slow down")
        assert (first["status"], first["code"], first["retry_after"]) == (429, "limit", 7.0)
        assert first["request_id"] == "req_1"
        assert "usage" not in first
        assert (second["n"], second["provider"], second["account"], second["outcome"]) == (2, "openai", "eu", "ok")
        assert second["cost_nano"] == 12_345
        assert "error" not in second

    def test_the_answer(self):
        item = ledger.item(answered())
        assert item["outcome"] == "ok"
        assert (item["provider"], item["account"], item["model"]) == ("openai", "eu", "gpt-6-luna")
        assert item["cost_nano"] == 12_345
        assert item["ms"] == pytest.approx(512.35, abs=0.01)
        assert item["first_ms"] == 92.5
        assert list(item["warnings"]) == ["temperature was not sent"]
        usage = item["usage"]
        assert (usage["input_tokens"], usage["cached_input_tokens"], usage["output_tokens"]) == (10, 5, 20)
        assert (usage["prompt_tokens"], usage["completion_tokens"], usage["total_tokens"]) == (15, 23, 38)
        assert usage["source"] == "reported"

    def test_units_beside_tokens_are_there_where_they_count(self):
        assert "characters" not in (ledger.usage(Usage(source="reported", input=10)) or {})
        shown = ledger.usage(Usage(source="reported", audio_input=7, audio_ms=1500, characters=3))
        assert shown is not None
        assert (shown["audio_input_tokens"], shown["audio_ms"], shown["characters"]) == (7, 1500, 3)
        assert (shown["prompt_tokens"], shown["total_tokens"]) == (7, 7)

    def test_what_is_not_known_is_null_and_not_nothing(self):
        item = ledger.item(receipt(outcome="error", error="NoTarget", error_message="nobody"))
        assert (item["usage"], item["cost_nano"], item["provider"]) == (None, None, None)
        assert (item["outcome"], item["error"], item["error_message"]) == ("error", "NoTarget", "nobody")
        assert item["attempts"] == []

    def test_it_is_json(self):
        for one in (receipt(), answered(), answered(options=Options(models=("a", "b")))):
            json.loads(orjson.dumps(ledger.item(one)))

    def test_items_that_share_a_plan_do_not_share_their_own_facts(self):
        one, two = ledger.item(answered("1" * 32)), ledger.item(answered("2" * 32, EVE, outcome="cut"))
        assert (one["sk"], one["org"], one["outcome"]) == ("1" * 32, "acme", "ok")
        assert (two["sk"], two["org"], two["outcome"]) == ("2" * 32, "evil", "cut")
        assert one["candidates"] == two["candidates"]

    def test_busy_days_are_spread(self):
        clock = FakeClock()
        ids = Ids(clock, seeded(1))
        partitions = {ledger.item(answered(ids.decision()))["pk"] for _ in range(200)}
        assert len(partitions) == SHARDS
        assert all("acme" in pk for pk in partitions)


class TestIds:
    def test_they_are_all_of_one_form_and_unlike(self):
        ids = Ids(FakeClock(), seeded())
        made = [ids.decision() for _ in range(1000)]
        assert len(set(made)) == 1000
        assert {len(one) for one in made} == {32}
        assert set("".join(made)) <= set("0123456789abcdef")

    def test_later_ones_come_later(self):
        clock = FakeClock()
        ids = Ids(clock, seeded())
        made = []
        for _ in range(50):
            made.append(ids.decision())
            clock.advance(0.01)
        assert made == sorted(made)


class TestFinding:
    def scene(self, path, work, clock=None):
        clock = clock or FakeClock()

        async def whole():
            async with opened(path, clock) as book:
                return await work(book, Ids(clock, seeded(1)), clock)

        return run(whole())

    def test_ones_own_is_found(self, tmp_path):
        async def work(book, ids, clock):
            one = answered(ids.decision(), at=clock.now())
            await book.settle(one)
            return await book.find("acme", one.id), one.id

        found, decision = self.scene(tmp_path, work)
        assert (found["sk"], found["org"], found["cost_nano"]) == (decision, "acme", 12_345)

    def test_anothers_is_not(self, tmp_path):
        async def work(book, ids, clock):
            one = answered(ids.decision(), at=clock.now())
            await book.settle(one)
            return [await book.find(org, one.id) for org in ("evil", "", "acme#", "ACME", "acm")]

        assert self.scene(tmp_path, work) == [None] * 5

    @pytest.mark.parametrize(
        "decision",
        ["", "x", "0" * 31, "0" * 33, "g" * 32, "0" * 31 + "G", "0" * 31 + "#", "A" * 32, "f" * 32, "0" * 32, "٠" * 32,
         "0" * 16 + "\n" + "0" * 15, "-" + "0" * 31, " " * 32, "0x" + "0" * 30],
    )  # fmt: skip
    def test_a_bad_id_is_nobodys(self, tmp_path, decision):
        async def work(book, *_):
            return await book.find("acme", decision)

        assert self.scene(tmp_path, work) is None

    def test_it_is_found_on_another_day(self, tmp_path):
        async def work(book, ids, clock):
            one = answered(ids.decision(), at=clock.now())
            await book.settle(one)
            clock.advance(300 * DAY)
            found = await book.find("acme", one.id)
            clock.advance(200 * DAY)
            return found is not None, await book.find("acme", one.id)

        assert self.scene(tmp_path, work) == (True, None)

    def test_settling_twice_keeps_one(self, tmp_path):
        async def work(book, ids, clock):
            decision = ids.decision()
            await book.settle(answered(decision, at=clock.now(), outcome="pending"))
            await book.settle(answered(decision, at=clock.now()))
            return [one["outcome"] for one in await book.recent("acme", 10)]

        assert self.scene(tmp_path, work) == ["ok"]


class TestRecent:
    def settled(self, path, ages, limit, org="acme"):
        """Receipts of these ages in seconds, oldest first; the positions of those found."""
        clock = FakeClock()

        async def work():
            async with opened(path, clock) as book:
                ids, start, made = Ids(clock, seeded(1)), clock.at, []
                for age in sorted(ages, reverse=True):
                    clock.at = start - age
                    one = answered(ids.decision(), at=clock.now())
                    made.append(one.id)
                    await book.settle(one)
                    await book.settle(answered(ids.decision(), EVE, at=clock.now()))
                clock.at = start
                return [made.index(one["sk"]) for one in await book.recent(org, limit)]

        return run(work())

    def test_the_newest_come_first(self, tmp_path):
        assert self.settled(tmp_path, range(30), 100) == list(range(29, -1, -1))

    def test_no_more_than_asked_for(self, tmp_path):
        assert self.settled(tmp_path, range(30), 5) == [29, 28, 27, 26, 25]

    def test_across_days(self, tmp_path):
        ages = [0, 1, DAY, 2 * DAY, 5 * DAY, 29 * DAY]
        assert self.settled(tmp_path, ages, 10) == [5, 4, 3, 2, 1, 0]
        assert self.settled(tmp_path / "more", ages, 3) == [5, 4, 3]

    def test_no_older_than_a_month(self, tmp_path):
        assert self.settled(tmp_path, [0, 45 * DAY], 10) == [1]

    def test_without_any_there_are_none(self, tmp_path):
        assert self.settled(tmp_path, [], 10) == []

    def test_of_ones_own_organisation(self, tmp_path):
        assert self.settled(tmp_path, [1, 2], 10, org="nobody") == []
