"""Which model a task gets: by risk, complexity, role and area, and the cheapest of those that fit."""

import math

import pytest

from core.errors import BadRequest, NotFound
from core.routing.tasks import Offer, Task, choose

CODE, ALL = frozenset({"code"}), frozenset({"code", "analysis", "planning", "complex_reasoning"})
FAST = Offer("a", "fast", "fast", CODE, 0.1)
STANDARD = Offer("b", "standard", "standard", CODE | {"planning"}, 0.5)
ADVANCED = Offer("c", "advanced", "advanced", ALL, 3.0)
CHEAP_ADVANCED = Offer("d", "cheap", "advanced", ALL, 2.0)
ANALYST = Offer("e", "analyst", "standard", frozenset({"analysis"}), 9.0)
EVERYBODY = [ADVANCED, FAST, STANDARD, CHEAP_ADVANCED, ANALYST]


def test_what_is_leaving_comes_after_what_stays():
    leaving = Offer("f", "old", "fast", CODE, 0.01, leaving=True)
    assert choose(Task(), [leaving, FAST]).offers == (FAST, leaving)
    assert choose(Task(), [leaving, STANDARD]).offers == (leaving,)


@pytest.mark.parametrize(
    ("task", "chosen", "why"),
    [
        (Task(), FAST, "fast tier, code capability"),
        (Task(risk="medium"), STANDARD, "standard tier, code capability"),
        (Task(risk="high"), CHEAP_ADVANCED, "advanced tier, complex_reasoning capability"),
        (Task(risk="HIGH", role="coder", area="data"), CHEAP_ADVANCED, "advanced tier, complex_reasoning capability"),
        (Task(complexity="high"), STANDARD, "standard tier, code capability"),
        (Task(risk="medium", complexity="high"), CHEAP_ADVANCED, "advanced tier, code capability"),
        (Task(risk="high", complexity="high"), CHEAP_ADVANCED, "advanced tier, complex_reasoning capability"),
        (Task(role="Planner", risk="medium"), STANDARD, "standard tier, planning capability"),
        (Task(area="research", risk="medium"), ANALYST, "standard tier, analysis capability"),
        (Task(role="coder", area="research"), FAST, "fast tier, code capability"),
        (Task(role="planner"), STANDARD, "standard tier, planning capability: no fast model has it"),
    ],
)
def test_the_cheapest_that_fits_is_chosen(task, chosen, why):
    choice = choose(task, EVERYBODY)
    assert choice.offers[0] is chosen
    assert choice.why == why


def test_all_that_fit_follow_by_price_and_an_unknown_price_comes_last():
    unknown = ADVANCED._replace(model="unknown", price=math.inf)
    choice = choose(Task(risk="high"), [unknown, ADVANCED, CHEAP_ADVANCED])
    assert choice.offers == (CHEAP_ADVANCED, ADVANCED, unknown)


def test_high_risk_goes_to_no_lesser_model():
    with pytest.raises(NotFound, match=r"offered by a, b; a task of high risk goes to no lesser model") as raised:
        choose(Task(risk="high"), [FAST, STANDARD])
    assert (raised.value.param, raised.value.code) == ("risk", "no_model")
    with pytest.raises(NotFound, match="complex_reasoning"):
        choose(Task(risk="high"), [ADVANCED._replace(skills=CODE)])


def test_lower_risk_takes_anybody_before_nobody_and_says_so():
    choice = choose(Task(risk="medium", role="analyst"), [STANDARD, FAST])
    assert choice.offers == (FAST, STANDARD)
    assert choice.why == "any model: none from standard up has the analysis capability"
    with pytest.raises(NotFound, match="offered by nobody"):
        choose(Task(), [])


@pytest.mark.parametrize("task", [Task(risk="extreme"), Task(complexity="none")])
def test_a_level_that_means_nothing_is_refused(task):
    with pytest.raises(BadRequest, match="must be one of low, medium, high"):
        choose(task, EVERYBODY)
