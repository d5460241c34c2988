"""/api/ai/translate as a caller meets it: what comes back, what is refused, what is kept."""

import pytest

from tests.functions.helpers import calls, has_receipt_headers, problem

ROUTE = "/api/ai/translate"


def ask(gateway, **fields):
    return gateway.http.post(ROUTE, json=fields)


def test_a_text_comes_back_with_its_receipt(gateway):
    answer = ask(gateway, text="Good morning, {name}", target_language="de")
    has_receipt_headers(answer)
    body = answer.json()
    assert body["translated_text"] == "Guten Morgen, {name}"
    assert body["translations"] == [{"target_language": "de", "text": "Guten Morgen, {name}"}]
    assert body["detected_language"] == {"language": "en", "score": 1.0}
    assert (body["provider"], body["model"], body["characters"], body["simulated"]) == ("azure", "nmt", 20, True)
    assert answer.headers["x-patchbay-provider"] == "azure"
    receipt = gateway.receipt(body["decision_id"])
    assert receipt["capability"] == "translate"
    assert "morning" not in str(receipt).lower()


def test_lists_come_back_as_lists(gateway):
    body = ask(gateway, text=["Hello world", " \n", "Bonjour monde"], targets=["de", "spanish"]).json()
    assert body["translations"] == [
        {"target_language": "de", "text": ["Hallo Welt", " \n", "Hallo Welt"]},
        {"target_language": "es", "text": ["Hola mundo", " \n", "Hola mundo"]},
    ]
    assert "translated_text" not in body
    assert [one and one["language"] for one in body["detected_languages"]] == ["en", None, "fr"]


@pytest.mark.parametrize(
    ("fields", "param", "words"),
    [
        ({"target_language": "de"}, "text", "text must be a text or a list"),
        ({"text": "  ", "target_language": "de"}, "text", "nothing to translate"),
        ({"text": "Hi"}, "target_language", "into which language"),
        ({"text": "Hi", "target_language": "Klingonish"}, "target_language", "code of a language"),
        ({"text": "Hi", "target_language": "de", "format": "docx"}, "format", "text, html"),
        ({"text": "Hi", "target_language": "de", "formality": "rude"}, "formality", "prefer_formal"),
        ({"text": "Hi", "target_language": "de", "glossary": {"a": 1}}, None, "glossary"),
        ({"text": 5, "target_language": "de"}, "text", "must be a string or a list"),
        ({"text": "Hi", "target_language": "de", "provider": "nobody"}, "provider", "not known"),
    ],
)
def test_what_is_wrong_is_said(gateway, fields, param, words):
    before = calls(gateway)
    error = problem(ask(gateway, **fields), 400, param)
    assert words in error["message"]
    assert calls(gateway) == before


def test_what_nobody_knows_is_told(gateway):
    body = ask(gateway, text="Hello", target_language="de", colour="red", cache="off").json()
    assert body["warnings"] == ["colour was not sent: azure/nmt does not take it"]


def test_the_same_again_is_repeated_and_costs_nothing(gateway):
    fields = {"text": "Hello world, kept", "target_language": "fr"}
    first = ask(gateway, **fields).json()
    before = calls(gateway)
    again = ask(gateway, **fields).json()
    assert calls(gateway) == before
    assert (first["cache"], again["cache"], again["cost"]["nano_usd"]) == ("miss", "hit", 0)
    same = ("translated_text", "translations", "detected_language", "provider", "model", "characters")
    assert {name: again[name] for name in same} == {name: first[name] for name in same}
    listed = ask(gateway, text=[fields["text"]], targets=["fr"]).json()
    assert listed["cache"] == "hit" and listed["translations"][0]["text"] == [first["translated_text"]]
    for other in ({"format": "html"}, {"source_language": "en"}, {"glossary": {"world": "Erde"}}, {"cache": "off"},
                  {"model": "openai/gpt-6-luna"}, {"colour": "red"}, {"check": False}):  # fmt: skip
        assert ask(gateway, **fields, **other).json()["cache"] != "hit"


def test_the_plan_is_shown_without_a_call(gateway):
    before = calls(gateway)
    plan = gateway.http.post(
        "/api/ai/route",
        json={"capability": "translate", "text": "Hello", "target_language": "de", "formality": "formal"},
    ).json()
    assert calls(gateway) == before
    assert (plan["capability"], plan["candidates"][0]["model"]) == ("translate", "gpt-5.4-mini")
    (left,) = [one for one in plan["excluded"] if one["model"] == "nmt"]
    assert (left["code"], left["reason"]) == ("features", "does not take formality")


def test_what_it_can_is_in_the_openapi_description(gateway):
    operation = gateway.http.get("/openapi.json").json()["paths"][ROUTE]["post"]
    properties = operation["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert {"text", "target_language", "targets", "glossary", "formality", "format", "provider"} <= set(properties)
