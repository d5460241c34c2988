"""The simulated translator keeps to its documentation, in both versions, and really translates."""

import httpx
import pytest

from core.wire.translation.check import fault
from infra.local.simulators.translating import answer, detect, task_in, translate, translate_html
from tests.functions.helpers import providers

KEY = {"ocp-apim-subscription-key": "k"}


@pytest.fixture(scope="module")
def vendor():
    """One simulated vendor for the module, in a thread of its own."""
    with providers("azure") as fleet:
        yield fleet


@pytest.fixture
def ask(vendor):
    def work(method, path, body=None, headers=KEY):
        return httpx.request(method, vendor.url("azure") + path, json=body, headers=headers, trust_env=False)

    return work


def test_version_3(ask):
    found = ask("POST", "/translate?api-version=3.0&to=de&to=ja", [{"Text": "Hello world"}, {"text": "Bonjour"}])
    assert found.status_code == 200
    assert found.headers["x-metered-usage"] == str(2 * len("Hello worldBonjour"))
    first, second = found.json()
    assert first["detectedLanguage"] == {"language": "en", "score": 1.0}
    assert first["translations"] == [
        {"text": "Hallo Welt", "to": "de"}, {"text": translate("Hello world", "ja"), "to": "ja"},
    ]  # fmt: skip
    assert second["translations"][0]["text"] == "Hallo"
    (named,) = ask("POST", "/translator/text/v3.0/translate?api-version=3.0&to=de&from=en", [{"Text": "Hello"}]).json()
    assert "detectedLanguage" not in named


def test_version_2026(ask):
    targets = [{"language": "de"}, {"language": "fr", "deploymentName": "custom-1"}]
    body = {"inputs": [{"text": "Hello <b>world</b>", "language": "en", "textType": "Html", "targets": targets}]}
    (one,) = ask("POST", "/translate?api-version=2026-06-06", body).json()["value"]
    assert [(found["language"], found["text"], found["sourceCharacters"]) for found in one["translations"]] == [
        ("de", "Hallo <b>Welt</b>", 18), ("fr", "Bonjour <b>monde</b>", 18),
    ]  # fmt: skip


TEXT = [{"Text": "Hello"}]
INPUT = {"text": "Hello", "targets": [{"language": "de"}]}


@pytest.mark.parametrize(
    ("path", "body", "headers", "code"),
    [
        ("/translate?api-version=3.0&to=de", TEXT, {}, 401000),
        ("/translate?api-version=3.0&to=de", TEXT, {"ocp-apim-subscription-key": "regional-1"}, 401000),
        ("/translate?api-version=3.0&to=de", TEXT, {"api-key": "that of the models"}, 401000),
        ("/translate?to=de", TEXT, KEY, 400021),
        ("/translate?api-version=3.0", TEXT, KEY, 400036),
        ("/translate?api-version=3.0&to=de&to=la", TEXT, KEY, 400036),
        ("/translate?api-version=3.0&to=de&from=xx", TEXT, KEY, 400035),
        ("/translate?api-version=3.0&to=de&tone=formal", TEXT, KEY, 400000),
        ("/translate?api-version=3.0&to=de&category=mine", TEXT, KEY, 400079),
        ("/translate?api-version=3.0&to=de&textType=pdf", TEXT, KEY, 400032),
        ("/translate?api-version=3.0&to=de", [{"Text": "a" * 50_001}], KEY, 400077),
        ("/translate?api-version=3.0&to=de&to=fr", [{"Text": "a" * 25_001}], KEY, 400077),
        ("/translate?api-version=3.0&to=de", TEXT * 1001, KEY, 400072),
        ("/translate?api-version=3.0&to=de", {"inputs": [INPUT]}, KEY, 400000),
        ("/translate?api-version=2026-06-06", TEXT, KEY, 400000),
        ("/translate?api-version=2026-06-06", {"inputs": [{"text": "a", "targets": []}]}, KEY, 400036),
        ("/translate?api-version=2026-06-06", {"inputs": [{**INPUT, "category": "x"}]}, KEY, 400000),
        ("/detect?api-version=2026-06-06", TEXT, KEY, 404001),
        ("/detect?api-version=3.0", TEXT * 101, KEY, 400072),
    ],
)
def test_what_it_refuses_it_numbers(ask, path, body, headers, code):
    found = ask("POST", path, body, headers)
    assert found.status_code == code // 1000
    assert found.json()["error"]["code"] == code


def test_it_detects_and_lists_its_languages(ask):
    texts = [{"Text": "Guten Morgen"}, {"Text": "你好"}, {"Text": "xyzzy"}]
    found = ask("POST", "/detect?api-version=3.0", texts).json()
    assert [(one["language"], one["score"]) for one in found] == [("de", 1.0), ("zh-Hans", 1.0), ("en", 0.5)]
    listed = ask("GET", "/languages?api-version=3.0", headers={}).json()["translation"]
    assert listed["de"]["name"] == "German" and listed["ar"]["dir"] == "rtl" and "la" not in listed


def test_its_faults_are_its_own(gateway):
    gateway.fault("azure", "429:2", capability="translate")
    found = httpx.post(
        f"{gateway.fleet.url('azure')}/translate?api-version=3.0&to=de", json=TEXT, headers=KEY, trust_env=False
    )
    assert (found.status_code, found.json()["error"]["code"], found.headers["retry-after"]) == (429, 429000, "2")


def test_plain_text_has_no_placeholders_there_and_html_has_what_is_not_translated():
    assert translate("Hello {name}", "de") == "Hallo {nameung}"
    kept = 'Hello <span class="notranslate">{name}</span> &amp; <b>world</b>'
    assert translate_html(kept, "de") == kept.replace("Hello", "Hallo").replace("world", "Welt")


def test_a_told_model_reads_its_order():
    told = 'Translate each text in "texts" from English (en) into German (de).\n\nMore rules.\n'
    data = '{"texts":["Hello <x1/>","Good morning"],"glossary":{"morning":"Früh"}}'
    task = task_in([told, data])
    assert task is not None and (task.target, task.source) == ("de", "en")
    assert answer(task) == '{"source_languages":["en","en"],"translations":["Hallo <x1/>","Guten Früh"]}'
    assert task_in(["Translate this into German: hello"]) is None
    assert task_in([told, "no data"]) is None


@pytest.mark.parametrize("text", ["Hello world, you have 3 new messages", "The flonk is in the garden of Zanzibar"])
@pytest.mark.parametrize("target", ["de", "fr", "sv", "ru", "el", "ar", "ja", "zh-Hans", "ko", "th"])
def test_what_it_says_is_in_the_language_and_comes_back(text, target):
    made = translate(text, target)
    assert made != text and fault(text, made, target=target) is None
    assert detect("Das Haus und der Garten") == ("de", 1.0)
