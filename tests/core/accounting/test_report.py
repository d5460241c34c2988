"""What was used, added up from receipts: days, groups, and what is in no sum."""

import logging

import pytest

from core.accounting import report as report_module
from core.accounting.ledger import SHARDS, Ledger
from core.accounting.report import BY, SCHEMA, Report, checked
from core.bootstrap import open_store
from core.capabilities import Capability
from core.clock import Ids, seeded
from core.config.settings import Settings
from core.errors import StoreUnavailable
from core.types.attempt import Attempt
from core.types.caller import ALL_SCOPES, Caller
from core.types.receipt import Again, Receipt
from core.types.request import Request
from core.types.target import Target
from core.types.usage import Cost, Usage
from tests.core.fakes import FakeClock, run

DAY = 86_400
MIDNIGHT = 1_800_000_000 // DAY * DAY + DAY  # 2027-01-16 00:00 UTC
ADA = Caller(org="acme", project="search", key="key_1", scopes=ALL_SCOPES)
AZURE, OPENAI = Target("azure", "default", "a"), Target("openai", "eu", "o")
USAGE = Usage("reported", input=10, output=5)


def ok(target=AZURE, nano=100, usage=USAGE):
    return Attempt(1, target, "ok", 0.0, 1.0, usage=usage, cost=Cost(nano))


def failed(target=AZURE, *, billed=False):
    return Attempt(1, target, "failed", 0.0, 1.0, error="ServerFault", fault="provider", billed=billed)


class Office:
    """A ledger and its report, with a clock in the test's hands."""

    def __init__(self, store, clock):
        self.clock, self.store = clock, store
        self.report = Report(store, clock)
        self._ledger = Ledger(store, clock)
        self._ids = Ids(clock, seeded(1))

    async def settle(self, *attempts, outcome="ok", caller=ADA, route="/v1/chat/completions", **more):
        won = next((one.target for one in attempts if one.outcome == "ok"), None)
        facts = {"target": won, "outcome": outcome, "attempts": list(attempts), **more}
        request = Request(Capability.CHAT, {}, route=route)
        await self._ledger.settle(Receipt(self._ids.decision(), self.clock.now(), 0.0, caller, request, **facts))

    async def usage(self, days=1, by="provider", org="acme"):
        return await self.report.usage(org, days, checked(by))

    async def total(self, days=1):
        return (await self.usage(days))["total"]

    async def kept(self, date):
        return await self.store.get("USE#acme", date)


@pytest.fixture(params=["sqlite", "dynamodb"])
def office(request, tmp_path):
    table = request.getfixturevalue("aws").table() if request.param == "dynamodb" else None

    def work(scene, at=MIDNIGHT + DAY / 2):
        async def scenes():
            clock = FakeClock(float(at))
            store = await open_store(Settings(home=tmp_path, table=table), clock)
            try:
                return await scene(Office(store, clock))
            finally:
                await store.close()

        return run(scenes())

    return work


def test_nothing_is_nothing(office):
    async def scene(office):
        data = await office.usage(days=3)
        assert (data["from"], data["to"], data["rows"], data["complete"]) == ("2027-01-14", "2027-01-16", [], True)
        assert data["total"]["requests"] == 0 and data["total"]["cost"] == {"usd": 0.0, "nano_usd": 0}

    office(scene)


def test_a_request_counts_where_its_answer_came_from_and_money_where_it_went(office):
    async def scene(office):
        await office.settle(failed(AZURE), failed(AZURE)._replace(usage=USAGE, cost=Cost(7)), ok(OPENAI, 100))
        rows = {row["provider"]: row for row in (await office.usage())["rows"]}
        assert [rows["azure"][name] for name in ("requests", "ok", "failed", "attempts", "unpriced")] == [
            0,
            0,
            0,
            2,
            0,
        ]
        assert [rows["openai"][name] for name in ("requests", "ok", "failed", "attempts")] == [1, 1, 0, 1]
        assert (rows["azure"]["cost"]["nano_usd"], rows["openai"]["cost"]["nano_usd"]) == (7, 100)
        assert (rows["azure"]["input_tokens"], rows["openai"]["output_tokens"]) == (10, 5)

    office(scene)


def test_failures(office):
    async def scene(office):
        await office.settle(failed(OPENAI), failed(AZURE), outcome="error")  # counts where it was tried last
        await office.settle(outcome="error")  # nobody was asked
        await office.settle(ok(AZURE), outcome="cut")
        await office.settle(ok(AZURE), outcome="cancelled")
        rows = {row["provider"]: row for row in (await office.usage())["rows"]}
        assert {name: (row["requests"], row["failed"]) for name, row in rows.items()} == {
            "azure": (3, 3), "openai": (0, 0), None: (1, 1),
        }  # fmt: skip
        assert (await office.total())["ok"] == 0

    office(scene)


def test_what_nobody_knows_the_price_of_is_in_no_sum(office):
    async def scene(office):
        await office.settle(ok(nano=None))
        await office.settle(ok(nano=None, usage=Usage()))
        await office.settle(failed(billed=True), ok(nano=3))
        await office.settle(failed(billed=False), ok(nano=4))
        total = await office.total()
        assert (total["unpriced"], total["cost"]["nano_usd"], total["attempts"]) == (3, 7, 6)

    office(scene)


def test_hits_cost_nothing_and_save(office):
    async def scene(office):
        await office.settle(ok(nano=100), cache="miss")
        for saved in (100, None):
            again = Again("d", 1.0, saved)
            await office.settle(cache="hit", again=again, target=AZURE, usage=USAGE, cost=Cost(0))
        total = await office.total()
        assert (total["requests"], total["ok"], total["attempts"], total["cache_hits"]) == (3, 3, 1, 2)
        assert (total["cost"]["nano_usd"], total["saved"]["nano_usd"], total["unpriced"]) == (100, 100, 0)
        assert total["input_tokens"] == 10, "a hit used nothing"

    office(scene)


def test_groups_add_up_to_the_same_and_the_dearest_comes_first(office):
    async def scene(office):
        await office.settle(ok(AZURE, 5))
        await office.settle(ok(OPENAI, 50), route="/api/ai/chat")
        await office.settle(ok(OPENAI, 7), caller=Caller("acme", "shop", "key_2", ALL_SCOPES))
        await office.settle(ok(AZURE, 999), caller=Caller("others", "search", "key_1", ALL_SCOPES))
        for by in (*BY, ",".join(BY)):
            data = await office.usage(by=by)
            costs = [row["cost"]["nano_usd"] for row in data["rows"]]
            assert sum(costs) == data["total"]["cost"]["nano_usd"] == 62
            assert costs == sorted(costs, reverse=True)
            assert all(list(row)[: len(checked(by))] == list(checked(by)) for row in data["rows"])
        assert {row["key"] for row in (await office.usage(by="key"))["rows"]} == {"key_1", "key_2"}
        assert (await office.usage(org="others"))["total"]["cost"]["nano_usd"] == 999

    office(scene)


class TestDays:
    def test_a_day_ends_at_midnight_utc(self, office):
        async def scene(office):
            for second in (-1, -0.001, 0, 1):
                office.clock.at = MIDNIGHT + second
                await office.settle(ok())
            data = await office.usage(days=2, by="day")
            assert {row["day"]: row["requests"] for row in data["rows"]} == {"2027-01-15": 2, "2027-01-16": 2}
            assert (await office.total(1))["requests"] == 2

        office(scene)

    def test_a_day_is_kept_when_nothing_of_it_can_come_any_more(self, office):
        async def scene(office):
            await office.settle(ok())
            office.clock.at = MIDNIGHT + DAY + 1800
            assert (await office.total(2))["requests"] == 1
            assert await office.kept("2027-01-16") is None, "an answer may still be on its way"
            office.clock.at = MIDNIGHT + DAY + 3601
            for _ in range(2):
                assert (await office.total(2))["requests"] == 1
            kept = await office.kept("2027-01-16")
            assert kept["v"] == SCHEMA and kept["complete"] and len(kept["rows"]) == 1
            assert await office.kept("2027-01-17") is None, "today is never kept"

        office(scene)

    def test_a_kept_day_is_not_added_up_again(self, office):
        async def scene(office):
            await office.settle(ok())
            office.clock.advance(2 * DAY)
            first = await office.usage(days=3, by="day")
            asked = []
            query = office.store.query

            async def noted(pk, *more, **options):
                asked.append(pk)
                return await query(pk, *more, **options)

            office.store.query = noted
            assert await office.usage(days=3, by="day") == first
            days = [pk for pk in asked if pk != "USE#acme"]
            assert len(days) == 2 * SHARDS and not any("2027-01-16" in pk for pk in days), "but an empty one is"

        office(scene)

    def test_another_version_s_sums_are_made_anew_and_newer_ones_are_left(self, office):
        async def scene(office):
            await office.settle(ok())
            office.clock.advance(2 * DAY)
            for version, then in ((SCHEMA - 1, SCHEMA), (SCHEMA + 1, SCHEMA + 1)):
                odd = {"pk": "USE#acme", "sk": "2027-01-16", "v": version, "rows": [{"colour": 1}], "complete": False}
                await office.store.put(odd)
                data = await office.usage(days=3)
                assert data["total"]["requests"] == 1 and data["complete"]
                assert (await office.kept("2027-01-16"))["v"] == then

        office(scene)


def test_many_receipts_are_read_page_by_page(office, monkeypatch):
    monkeypatch.setattr(report_module, "_PAGE", 3)

    async def scene(office):
        for _ in range(60):
            await office.settle(ok(nano=1))
        total = await office.total()
        assert (total["requests"], total["cost"]["nano_usd"]) == (60, 60)

    office(scene)


def test_a_report_that_left_some_out_says_so(office, monkeypatch):
    monkeypatch.setattr(report_module, "_MOST_RECEIPTS", 10)

    async def scene(office):
        for _ in range(10):
            await office.settle(ok())
        data = await office.usage()
        assert (data["complete"], data["total"]["requests"]) == (True, 10)
        await office.settle(ok())
        data = await office.usage()
        assert (data["complete"], data["total"]["requests"], data["unread"]) == (False, 10, 0)
        office.clock.advance(2 * DAY)
        assert not (await office.usage(days=3))["complete"]
        assert await office.kept("2027-01-16") is None
        monkeypatch.setattr(report_module, "_MOST_RECEIPTS", 11)
        data = await office.usage(days=3)
        assert (data["complete"], data["total"]["requests"]) == (True, 11), "what was left out is not forgotten"

    office(scene)


ODD = [
    {"v": 2},
    {"v": None},
    {"attempts": None},
    {"attempts": [7]},
    {"attempts": [{"provider": "azure"}]},
    {"usage": {}, "attempts": [{"provider": "a", "account": "a", "model": "m", "outcome": "ok", "usage": {}}]},
    {"cache": "hit", "cached": None},
    {"provider": ["azure"]},
]


@pytest.mark.parametrize("odd", ODD, ids=str)
def test_what_is_not_understood_is_in_no_sum_and_said(office, odd, caplog):
    async def scene(office):
        await office.settle(ok(nano=5))
        await office.settle(ok(nano=7))
        receipts = [
            receipt for shard in range(SHARDS) for receipt in await office.store.query(f"LED#acme#2027-01-16#{shard}")
        ]
        await office.store.put({**receipts[0], **odd})
        left = sum(receipt["attempts"][0]["cost_nano"] for receipt in receipts[1:])
        data = await office.usage()
        assert (data["complete"], data["unread"], data["total"]["requests"]) == (False, 1, 1)
        assert (data["total"]["cost"]["nano_usd"], data["total"]["attempts"]) == (left, 1)
        office.clock.advance(2 * DAY)
        assert (await office.usage(days=3))["unread"] == 1
        assert await office.kept("2027-01-16") is None, "a later version may understand it"

    with caplog.at_level(logging.WARNING, "patchbay"):
        office(scene)
    assert "1 receipts of 2027-01-16 are in no sum" in caplog.text


def test_a_long_report_reads_side_by_side_and_writes_nothing_of_empty_days(office):
    async def scene(office):
        await office.settle(ok())
        office.clock.advance(5 * DAY)
        under_way, most, calls, query, append = 0, 0, 0, office.store.query, office.store.append
        kept = []

        async def counted(*given, **options):
            nonlocal under_way, most, calls
            under_way, calls = under_way + 1, calls + 1
            most = max(most, under_way)
            try:
                return await query(*given, **options)
            finally:
                under_way -= 1

        async def noted(item):
            kept.append(item["sk"])
            await append(item)

        async def get(*_):
            raise AssertionError("kept days are read at once")

        office.store.query, office.store.append, office.store.get = counted, noted, get
        assert (await office.usage(days=90))["total"]["requests"] == 1
        assert kept == ["2027-01-16"]
        assert 4 <= most <= 8
        assert calls == 1 + 90 * SHARDS
        assert (await office.usage(days=90))["total"]["requests"] == 1
        assert kept == ["2027-01-16"] and calls == 2 * (1 + 90 * SHARDS) - SHARDS

    office(scene)


def test_a_store_that_fails_ends_the_whole_report(office):
    async def scene(office):
        async def fail(*_, **__):
            raise StoreUnavailable("gone")

        office.store.query = fail
        with pytest.raises(StoreUnavailable):
            await office.usage(days=30)

    office(scene)


def test_sums_that_cannot_be_kept_are_shown_all_the_same(office, caplog):
    """One item holds 400 KB at DynamoDB, and a day may have very many groups."""

    async def scene(office):
        await office.settle(ok())
        office.clock.advance(2 * DAY)

        async def refuse(item):
            raise StoreUnavailable(f"{item['sk']} is too large")

        office.store.append = refuse
        assert (await office.total(3))["requests"] == 1

    with caplog.at_level(logging.WARNING, "patchbay"):
        office(scene)
    assert "the sums of 2027-01-16 are not kept" in caplog.text


@pytest.mark.parametrize(("by", "names"), [("provider", ("provider",)), (" Day, MODEL,day ", ("day", "model"))])
def test_names_of_groups(by, names):
    assert checked(by) == names


@pytest.mark.parametrize("by", ["", ",", "colour", "provider,colour"])
def test_names_of_no_group(by):
    with pytest.raises(ValueError, match="provider, model, account"):
        checked(by)
