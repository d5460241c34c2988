"""Asking the same again: through HTTP, whole and streamed, at once and after another instance."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.functions.helpers import CHAT_ROUTES, calls, problem, said, sse
from tests.harness import server

COLD = {"temperature": 0}


def asked(gateway):
    return sum(calls(gateway).values())


def words(text, **fields):
    return {"messages": [{"role": "user", "content": text}], **COLD, **fields}


def test_the_second_answer_is_the_first_one_and_costs_nothing(gateway):
    body = words("Say it twice")
    before = asked(gateway)
    first, second = gateway.chat(body), gateway.chat(body)
    assert asked(gateway) == before + 1
    one, two = first.json(), second.json()
    assert (one["cache"], two["cache"]) == ("miss", "hit")
    assert two["content"] == one["content"] and two["model"] == one["model"] and two["usage"] == one["usage"]
    assert two["cost"] == {"usd": 0.0, "nano_usd": 0} and two["attempts"] == []
    assert two["cached"]["decision_id"] == one["decision_id"] != two["decision_id"]
    assert two["cached"]["saved_nano_usd"] == one["cost"]["nano_usd"] > 0
    assert second.headers["x-patchbay-cache"] == "hit" and second.headers["x-patchbay-cost-usd"] == "0.000000000"
    kept = gateway.receipt(two["decision_id"])
    assert kept["cache"] == "hit" and kept["cost"]["nano_usd"] == 0 and kept["outcome"] == "ok"


@pytest.mark.parametrize(("first", "second"), [(False, True), (True, False), (True, True)])
def test_a_stream_and_a_whole_answer_are_one_entry(gateway, first, second):
    def ask(stream):
        body = words(f"From {first} to {second}", stream=stream)
        answer = gateway.http.post("/v1/chat/completions", json=body)
        assert answer.status_code == 200
        text = said(sse(answer.text)) if stream else answer.json()["choices"][0]["message"]["content"]
        return text, answer.headers["x-patchbay-cache"]

    before = asked(gateway)
    (one, miss), (two, hit) = ask(first), ask(second)
    assert (miss, hit) == ("miss", "hit") and one == two
    assert asked(gateway) == before + 1


def test_many_at_once_are_one_call(gateway):
    body = words("All together now", cache="on")
    gateway.fault("azure", "slow_first_byte")
    before = asked(gateway)
    with ThreadPoolExecutor(8) as pool:
        answers = [one.json() for one in pool.map(lambda _: gateway.chat(body), range(8))]
    assert asked(gateway) == before + 1
    assert sorted(one["cache"] for one in answers) == ["hit"] * 7 + ["miss"]
    assert len({one["content"] for one in answers}) == 1


@pytest.mark.parametrize(
    "fields",
    [{"seed": 1}, {"provider": "openai"}, {"max_tokens": 7}, {"tier": "fast"}, {"user": "ann"}, {"cache": "off"}],
)
def test_whatever_changes_the_answer_is_asked_for(gateway, fields):
    body = words(f"Never the same: {fields}")
    assert gateway.chat(body).json()["cache"] == "miss"
    assert gateway.chat(body, **fields).json()["cache"] in {"miss", "off"}


def test_read_write_and_on(gateway):
    body = {"messages": [{"role": "user", "content": "Read and write"}]}
    modes = ["read", "write", "read", "write", "on", "off"]
    assert [gateway.chat(body, cache=mode).json()["cache"] for mode in modes] == [
        "miss", "miss", "hit", "miss", "hit", "off",
    ]  # fmt: skip
    assert gateway.chat(body).json()["cache"] == "off"


@pytest.mark.parametrize("fields", [{"modalities": ["text"]}, {"audio": {"voice": "a"}}])
def test_what_is_never_kept_is_said_to_who_wanted_it(gateway, fields):
    body = words("Sing")
    said = gateway.chat(body, **fields, cache="on").json()
    assert said["cache"] == "off"
    wanted = "cache=on had no effect: answers with modalities or audio are not kept"
    assert wanted in said["warnings"]
    for cache in ("off", None):
        assert wanted not in gateway.chat(body, **fields, cache=cache).json()["warnings"]
    assert wanted not in gateway.chat(body, cache="on").json()["warnings"]


def test_errors_and_substitutes_are_not_kept(gateway):
    body = words("Who answers?", model="azure/gpt-5.4-mini")
    gateway.fault("azure", "500")
    instead = gateway.chat(body).json()
    assert instead["provider"] != "azure" and instead["cache"] == "miss"
    gateway.clear()
    assert gateway.chat(body).json()["provider"] == "azure"
    for name in ("azure", "together", "openai"):
        gateway.fault(name, "500")
    assert gateway.chat(words("Nobody answers")).status_code == 502
    gateway.clear()
    assert gateway.chat(words("Nobody answers")).json()["cache"] == "miss"


def test_a_broken_stream_is_not_kept(gateway):
    body = words("Broken off", stream=True)
    gateway.fault("azure", "cut_stream@2")
    assert "error" in gateway.http.post("/v1/chat/completions", json=body).text
    gateway.clear()
    assert gateway.http.post("/v1/chat/completions", json=body).headers["x-patchbay-cache"] == "miss"


@pytest.mark.parametrize("route", CHAT_ROUTES)
def test_a_hit_says_of_itself_what_it_is(gateway, route):
    """That it is a hit and whose, and that it was simulated: in headers, body and every event."""
    body = words(f"Say what you are at {route}", stream_options={"include_usage": True})
    miss = gateway.http.post(route, json=body).headers
    first = miss["x-patchbay-decision"]
    assert "x-patchbay-cached-decision" not in miss
    whole, stream = [gateway.http.post(route, json={**body, "stream": stream}) for stream in (False, True)]
    for answer in (whole, stream):
        said = answer.headers
        assert (said["x-patchbay-cache"], said["x-patchbay-simulated"], said["x-patchbay-attempts"]) == (
            "hit", "true", "0",
        )  # fmt: skip
        assert said["x-patchbay-cached-decision"] == first
        assert gateway.receipt(said["x-patchbay-decision"])["cached"]["decision_id"] == first
    events = sse(stream.text)
    assert events.pop() == "[DONE]"
    assert whole.json()["simulated"] is True and all(one["simulated"] is True for one in events)
    usages = [one["usage"] for one in events if one.get("usage")]
    if route == "/api/ai/chat":
        assert events[-1]["cached"]["decision_id"] == whole.json()["cached"]["decision_id"] == first
        assert len(usages) == 1, "its receipt has it"
    else:
        assert usages == [whole.json()["usage"]]
        quiet = gateway.http.post(route, json={**words(f"Say what you are at {route}"), "stream": True})
        assert quiet.headers["x-patchbay-cache"] == "hit"
        assert all("usage" not in one for one in sse(quiet.text)[:-1]), "only who asks for it gets it"


def test_a_long_replay_is_whole(gateway):
    schema = {"type": "object", "properties": {"a": {"type": "string", "minLength": 9000}}, "required": ["a"]}
    wanted = {"type": "json_schema", "json_schema": {"name": "long", "schema": schema}}
    body = words("A long one", model="openai/auto", response_format=wanted)
    content = gateway.chat(body).json()["content"]
    again = gateway.http.post("/v1/chat/completions", json={**body, "stream": True})
    assert again.headers["x-patchbay-cache"] == "hit" and len(content) > 9000
    events = sse(again.text)
    assert said(events) == content and len(events) > 50


def test_another_process_finds_it_in_the_store(tmp_path):
    body = words("Remember me")
    with server(tmp_path) as one:
        place = {"OPENAI_BASE_URL": one.fleet.url("openai") + "/v1", "OPENAI_API_KEY": "made-up"}
        with server(tmp_path, **place) as two:
            first = two.chat(body).json()
        with server(tmp_path, **place) as three:
            second = three.chat(body).json()
    assert (first["cache"], second["cache"]) == ("miss", "hit")
    assert second["cached"]["decision_id"] == first["decision_id"]


def test_usage_adds_up(tmp_path):
    with server(tmp_path) as gateway:
        costs = [gateway.chat(words("Count me")).json()["cost"]["nano_usd"] for _ in range(3)]
        gateway.fault("azure", "500")
        costs.append(gateway.chat(words("Count me too")).json()["cost"]["nano_usd"])
        data = gateway.http.get("/api/ai/usage").json()
        assert data["total"]["requests"] == 4 and data["total"]["cache_hits"] == 2 and data["complete"]
        assert data["total"]["cost"]["nano_usd"] == sum(costs) > 0
        assert data["total"]["saved"]["nano_usd"] == 2 * costs[0]
        assert data["total"]["simulated"] == 4 and data["total"]["simulated_cost"] == data["total"]["cost"]
        rows = {row["provider"]: row for row in data["rows"]}
        assert (rows["azure"]["requests"], rows["azure"]["attempts"]) == (3, 2)
        assert rows["together"]["requests"] == 1
        by_day = gateway.http.get("/api/ai/usage", params={"by": "day", "days": 2}).json()
        assert [row["requests"] for row in by_day["rows"]] == [4]
        for name, value in (("by", "colour"), ("days", "0"), ("days", "91"), ("project", "default")):
            problem(gateway.http.get("/api/ai/usage", params={name: value}), 400, name)
