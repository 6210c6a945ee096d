"""Flows that end well: all behaviours together in one run per shape and executor."""

from collections.abc import Callable

import pytest

from tests.matrix import facts, joins, records, values
from tests.matrix.lab import Lab, Outcome
from tests.matrix.shapes import SHAPES, Shape
from tests.matrix.source import Behaviour, flow_source

BEHAVIOURS = (*records.BEHAVIOURS, *facts.BEHAVIOURS, *joins.BEHAVIOURS, *values.BEHAVIOURS)
USUALLY = {
    "local": tuple(shape.name for shape in SHAPES),
    "inline": ("linear", "branch_in_foreach", "switch_around_splits", "gang"),
    "spawn": ("single_step", "foreach", "recursion"),
}
CASES = [
    pytest.param(
        shape,
        executor,
        id=f"{shape.name}-{executor}",
        marks=() if shape.name in USUALLY[executor] else pytest.mark.slow,
    )
    for executor in USUALLY
    for shape in SHAPES
]


@pytest.mark.parametrize(("shape", "executor"), CASES)
def test_flow_shows_all_behaviours(
    make_lab: Callable[[Shape, str], Lab], shape: Shape, executor: str
) -> None:
    chosen = [one for one in BEHAVIOURS if one.applies(shape) and executor in one.executors]
    lab = make_lab(shape, executor).write(flow_source(shape, chosen))
    tags = [word for tag in facts.TAGS for word in ("--tag", tag)]
    told = ["--run-id-file", "id", "--runner-attribute-file", "attributes"]
    outcome = lab.run(*tags, *told, *facts.ARGUMENTS)

    failures = [failure for one in chosen if (failure := failure_of(one, outcome))]
    if failures:
        raise ExceptionGroup("not as it should be", failures)


def failure_of(behaviour: Behaviour, outcome: Outcome) -> Exception | None:
    """Return what is wrong: the other behaviours shall be looked at as well."""
    try:
        behaviour.check(outcome)
    except Exception as error:  # noqa: BLE001 - raised again with the others
        error.add_note(f"behaviour: {behaviour.name}")
        return error
    return None


@pytest.mark.parametrize("behaviour", BEHAVIOURS, ids=lambda one: one.name.replace(" ", "_"))
def test_behaviour_can_be_seen_on_three_shapes_at_least(behaviour: Behaviour) -> None:
    assert sum(behaviour.applies(shape) for shape in SHAPES) >= 3
