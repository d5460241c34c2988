"""`patchbay embed` and `patchbay usage`: what is asked, and what is printed."""

import json
from urllib.parse import urlsplit

import pytest

from tests.harness import server
from tests.infra.results import data, empty, line, printed

ANSWER = {
    "embeddings": [[0.5, -0.25], [1.0, 0.0]], "dimensions": 2, "model": "m", "provider": "p", "usage": None,
    "cost": {"usd": None, "nano_usd": None}, "duration_ms": 1.0, "decision_id": "0" * 32, "warnings": [],
    "simulated": False, "attempts": [],
}  # fmt: skip


@pytest.fixture
def embed(stand_in, run):
    """Runs it against a stand-in; gives the end and what was asked."""

    def invoke(*args: str, given: str | None = None, **answer):
        stand_in.says({**ANSWER, **answer})
        result = run("embed", *args, given=given, PORT=stand_in.port)
        return result, (stand_in.asked[-1] if stand_in.asked else None)

    return invoke


def test_one_vector_a_line(embed):
    result, (path, body) = embed("a", "b c")
    assert [json.loads(row) for row in printed(result)] == ANSWER["embeddings"]
    assert (path, body) == ("/api/ai/embed", {"input": ["a", "b c"]})


def test_every_option_is_sent(embed):
    options = ["-m", "m", "-p", "azure", "--dimensions", "7", "--base64", "--no-fallback"]
    result, (_, body) = embed("a", *options, embeddings=["AAAA"])
    assert printed(result) == ["AAAA"]
    assert body == {
        "input": ["a"], "model": "m", "provider": "azure", "dimensions": 7, "encoding_format": "base64",
        "fallback": False,
    }  # fmt: skip


def test_errors_have_the_command_lines_own_words(stand_in, run):
    stand_in.status = 502
    stand_in.says({"error": {"message": "Allow more time (x-patchbay-timeout-ms) or lower max_tokens."}})
    assert (
        line(run("embed", "a", PORT=stand_in.port)) == "patchbay: Allow more time (--timeout) or lower --max-tokens."
    )


def test_who_has_no_embeddings(patchbay):
    words = "groq: Groq has no embeddings in this version."
    assert line(patchbay("embed", "-p", "groq", "--no-fallback", "a")).endswith(words)


def test_json_is_the_whole_answer(embed):
    assert data(embed("a", "b", "--json")[0]) == ANSWER


def test_simulated_and_other_vectors_say_so(embed):
    said = embed("a", "b", simulated=True, warnings=["answered by x instead of y"])[0]
    assert len(said.stdout.splitlines()) == 2
    assert "mean nothing" in said.stderr and "warning: answered by x instead of y" in said.stderr


@pytest.mark.parametrize("how", [["--file", "lines.txt"], ["--file", "-"], ["-"], []], ids=str)
def test_lines(embed, tmp_path, how):
    text = "first\r\nse\u2028cond\x85 \nthird"
    (tmp_path / "lines.txt").write_text(text, newline="")
    _, (_, body) = embed(*how, given=None if "lines.txt" in how else text)
    assert body["input"] == ["first", "se\u2028cond\x85 ", "third"]


def test_a_field_of_json_lines(embed):
    _, (_, body) = embed("-", "--jsonl", "title", given='{"title": "a", "x": 1}\n{"title": "\\u00fc"}\n')
    assert body["input"] == ["a", "ü"]


def test_arguments_come_before_files_and_stdin(embed, tmp_path):
    (tmp_path / "lines.txt").write_text("b\n")
    _, (_, body) = embed("a", "-", "--file", "lines.txt", given="c\n")
    assert body["input"] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("arguments", "given", "word"),
    [
        ([], "", "nothing to embed"),
        (["a", " "], "", "text 2 is empty"),
        (["-"], "a\n\nb\n", "stdin line 2 is empty"),
        (["-", "--jsonl", "t"], '{"t": "a"}\n{"x": 1}\n', "stdin line 2"),
        (["-", "--jsonl", "t"], '{"t": 1}\n', "'t' in stdin line 1 is not text"),
        (["-", "--jsonl", "t"], "[]\n", "stdin line 1"),
        (["-", "--jsonl", "t"], "{\n", "stdin line 1"),
        (["-"], "\0", "stdin is not text (UTF-8). See"),
        (["--file", "missing"], "", "missing"),
        (["--dimensions", "0", "a"], "", "dimensions"),
    ],
    ids=repr,
)
def test_what_cannot_be_embedded(embed, arguments, given, word):
    result, asked = embed(*arguments, given=given)
    assert result.exit_code == 2 and word in result.stderr and result.stdout == "" and asked is None


def test_with_a_real_gateway(patchbay):
    result = patchbay("embed", "a text", "another")
    vectors = [json.loads(row) for row in result.stdout.splitlines()]
    assert len(vectors) == 2 and len({len(one) for one in vectors}) == 1
    answer = data(patchbay("embed", "a text", "--json", "--dimensions", "256"))
    assert len(answer["embeddings"][0]) == answer["dimensions"] == 256


def test_usage_of_a_fresh_home(tmp_path, run):
    with server(tmp_path / "home") as fresh:
        port = str(urlsplit(fresh.url).port)
        assert "patchbay chat" in empty(run("usage", PORT=port))
        assert data(run("usage", "--json", PORT=port))["rows"] == []
        answer = fresh.chat().json()
        fresh.chat(provider="openai")
        shown = run("usage", PORT=port)
        assert "simulators answered 2 of them" in shown.stderr
        head, *rows, total = shown.stdout.splitlines()
        assert head.split() == ["PROVIDER", "MODEL", "REQUESTS", "OK", "FAILED", "CACHED", "IN", "OUT", "USD"]
        assert [row.split()[0] for row in rows] == ["azure", "openai"]
        used = answer["usage"]
        figures = [1, 1, 0, 0, used["prompt_tokens"], used["completion_tokens"], f"{answer['cost']['usd']:.6f}"]
        assert rows[0].split()[2:] == [str(one) for one in figures]
        assert total.split()[:2] == ["total", "2"]
        grouped = data(run("usage", "--json", "--by", "capability", "--days", "1", PORT=port))
        assert [(one["capability"], one["requests"]) for one in grouped["rows"]] == [("chat", 2)]
        head, day, _ = run("usage", "--by", "day,key", PORT=port).stdout.splitlines()
        assert head.split()[:2] == ["DAY", "KEY"] and "loopback" in day


def test_usage_without_a_server(run, closed):
    assert run("chat", "hello", PORT=closed).exit_code == 0
    assert data(run("usage", "--json", PORT=closed))["total"]["requests"] == 1


def test_usage_of_what_is_no_group(patchbay):
    assert "capability" in line(patchbay("usage", "--by", "colour"), 2)
    assert patchbay("usage", "--days", "0").exit_code == 2
