"""Images beyond what a provider takes leave him out, with the reason."""

import base64
from dataclasses import replace

import pytest

from core.capabilities import Capability
from core.config import settings
from core.config.catalog import Catalog
from core.net.transport import Transport
from core.providers.registry import Registry
from core.providers.row import Images
from core.providers.table import TABLE
from core.routing.planner import Planner
from core.types.request import Request
from core.wire.chat import chat_facts

PNG, WEBP = b"\x89PNG\r\n\x1a\n", b"RIFF\x24\x00\x00\x00WEBP"
TAKES = {
    "openai": Images(),
    "together": Images(most=2),
    "groq": Images(most_bytes=1000),
    "huggingface": Images(types=frozenset({"image/png"})),
}
KEYS = {f"{name.upper()}_API_KEY": "k" for name in TAKES}


@pytest.fixture(scope="module")
def planner():
    registry = Registry([replace(row, images=TAKES[row.name]) for row in TABLE if row.name in TAKES])
    config = settings.load(registry.declared(), environ=KEYS)
    registry.connect(config.accounts, Transport())
    return Planner(registry, Catalog([]), config)


def asked(*urls):
    parts = [{"type": "image_url", "image_url": {"url": url}} for url in urls]
    body = {"messages": [{"role": "user", "content": parts}]}
    return Request(Capability.CHAT, body, facts=chat_facts(body))


def png(size, head=PNG, kind="image/png"):
    return f"data:{kind};base64,{base64.b64encode(head + bytes(size - len(head))).decode()}"


LINK = "https://example.com/a.png"


@pytest.mark.parametrize(
    ("urls", "out"),
    [
        ([LINK], {}),
        ([png(1000)], {}),
        ([LINK, LINK], {}),
        ([LINK, LINK, LINK], {"together": "takes at most 2 images, not 3"}),
        ([png(1001)], {"groq": "takes images of at most 1000 bytes, not 1001"}),
        ([png(100), png(2000), png(50)],
         {"together": "takes at most 2 images, not 3", "groq": "takes images of at most 1000 bytes, not 2000"}),
        ([png(40, WEBP)], {"huggingface": "does not take image/webp as an image"}),
        ([png(40, b"BM", "image/bmp")], {"huggingface": "does not take image/bmp as an image"}),
        ([png(40, b"<svg", "image/svg+xml")], {"huggingface": "does not take image/svg+xml as an image"}),
    ],
)  # fmt: skip
def test_who_takes_them(planner, urls, out):
    made = planner.plan(asked(*urls))
    found = {one.target.provider: one for one in made.excluded}
    assert {name: one.reason for name, one in found.items()} == out
    assert all((one.code, one.by_request, one.param) == ("images", True, "messages") for one in found.values())
    assert {one.target.provider for one in made.candidates} == TAKES.keys() - out.keys()


def test_plans_are_shared_between_requests_that_are_alike(planner):
    assert planner.plan(asked(png(10))) is planner.plan(asked(png(900)))
    assert planner.plan(asked(png(10))) is not planner.plan(asked(png(1001)))
    assert planner.plan(asked(png(3000))) is planner.plan(asked(png(2000)))
