"""The seeds' code, run over simulated providers; only its imports are ours."""

from pathlib import Path

import pytest

from tests.core.library.conftest import blocks, heard
from tests.sound import recording

EXAMPLES = blocks(Path(__file__).with_name("examples.md"))


@pytest.mark.parametrize(("title", "code"), EXAMPLES, ids=[title for title, _ in EXAMPLES])
def test_the_seeds_examples_run(house, meeting, title, code):
    names = {"__name__": "seed", "url": house.url, "meeting": meeting, "recording": recording, "heard": heard}
    house.python(code, names)


def test_there_is_an_example_of_every_seed():
    assert {title[:3] for title, _ in EXAMPLES} == {"000", "001", "002", "003", "004"}
