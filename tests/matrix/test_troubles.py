"""Flows that get over trouble in one of their steps, thanks to its decorators."""

from collections.abc import Callable, Hashable, Iterator

import pytest

from flowkit.enums import Status
from tests.matrix.covering import parameters, thinned
from tests.matrix.lab import Lab
from tests.matrix.shapes import BY_NAME, SHAPES, Node, Shape
from tests.matrix.source import Behaviour, flow_source
from tests.matrix.troubles import CATCH, TROUBLES, Trouble, check_last_attempt

Case = tuple[Shape, Node, Trouble, str]

WORD = Behaviour(
    "what the environment says",
    check=lambda outcome: None,
    code={"every": 'self.word = os.environ.get("MATRIX_WORD")'},
    own=["word", "number", "tries", "before", "failure", "passed"],
)
CASES: list[Case] = [
    (shape, node, trouble, executor)
    for shape, node, trouble, executor in thinned(("local", "inline", "spawn"), SHAPES, TROUBLES)
    if executor in trouble.executors and trouble.applies(shape, node)
]
LATE = """
import threading

from flowkit import StepDecorator


class late(StepDecorator):
    def wrap(self, call, task):
        if task.fallback is not None:
            threading.Event().wait(0.6)
        call()
"""
ROLES = {"start", "split", "foreach", "switch", "child", "gang", "join", "end"}


def features(case: Case) -> Iterator[Hashable]:
    """What the usual cases must have: each shape, each trouble; each kind of it in each role."""
    shape, node, trouble, executor = case
    yield executor, trouble.kind
    if executor == "local":
        yield shape.name
        yield trouble.name
        yield from ((role, trouble.kind) for role in shape.roles(node) & ROLES)


def name_of(shape: Shape, node: Node, trouble: Trouble, executor: str) -> str:
    return f"{shape.name}-{node.name}-{trouble.name}-{executor}"


@pytest.mark.parametrize(
    ("shape", "node", "trouble", "executor"), parameters(CASES, features, name_of)
)
def test_flow_gets_over_the_trouble(
    make_lab: Callable[[Shape, str], Lab], shape: Shape, node: Node, trouble: Trouble, executor: str
) -> None:
    behaviours = [Behaviour("", WORD.check, module=trouble.module), WORD]
    source = flow_source(
        shape, behaviours, {node.name: trouble.decorators}, {node.name: trouble.ending}
    )
    lab = make_lab(shape, executor).write(source)
    outcome = lab.run()

    troubled = outcome.model.of([node.name])
    assert outcome.run.status is Status.SUCCEEDED
    assert set(outcome.tasks) == outcome.model.keys
    # The first member of a gang that fails stops the others, perhaps before their step begins, and
    # the whole gang starts again: only the last start is the same for all members.
    is_gang = node.name in {other.to[0] for other in shape if other.gang}
    restarts = is_gang and trouble.executions > 1
    sure = outcome.model.keys - (troubled if restarts or executor in trouble.unsure else set())
    assert {key: outcome.executed[key] for key in sure} == {
        key: trouble.executions if key in troubled else 1 for key in sure
    }
    assert all(outcome.executed[key] <= trouble.executions for key in troubled)
    assert set(outcome.executed) <= outcome.model.keys
    for key in troubled:
        if restarts and trouble.kind == "retry":
            check_last_attempt(outcome.tasks[key], trouble.executions - 1)
        else:
            trouble.check(outcome, outcome.tasks[key])


def test_timeout_does_not_hold_for_the_handling_of_a_failure(
    make_lab: Callable[[Shape], Lab],
) -> None:
    shape = BY_NAME["single_step"]
    decorators = {"only": ("@late", CATCH, "@timeout(seconds=0.3)")}
    endings = {"only": "threading.Event().wait()"}
    source = flow_source(shape, [Behaviour("", WORD.check, module=LATE)], decorators, endings)

    outcome = make_lab(shape).write(source).run()

    (task,) = outcome.tasks.values()
    assert task.data.failure.type == "flowkit.exceptions.TimeoutException"
    assert task.current_attempt == 1
