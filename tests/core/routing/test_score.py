"""The seed's formula, to the digit."""

import pytest

from core.routing.score import classic


@pytest.mark.parametrize(
    ("facts", "score"),
    [
        ({"requests": 10, "successes": 9, "average_ms": 1000, "health": "healthy", "recent": True}, 0.36 + 0.24 + 0.4),
        ({"requests": 0, "successes": 0, "average_ms": 0, "health": "unknown", "recent": False}, 0.3 + 0.15),
        ({"requests": 4, "successes": 4, "average_ms": 9000, "health": "degraded", "recent": False}, 0.4 + 0.15),
        ({"requests": 4, "successes": 0, "average_ms": 5000, "health": "unhealthy", "recent": False}, 0.0),
    ],
)
def test_the_formula(facts, score):
    assert classic(**facts) == pytest.approx(score)
