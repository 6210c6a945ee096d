"""A task fails, then the run is resumed: what had succeeded is taken over, the rest is run."""

from collections.abc import Callable, Hashable, Iterator

import pytest

from flowkit.enums import Status
from tests.matrix.covering import parameters, thinned
from tests.matrix.lab import Lab, Outcome
from tests.matrix.model import Key
from tests.matrix.sabotage import (
    INLINE,
    WAYS,
    Way,
    break_task,
    check_resumed,
    differences,
    mend,
    write_flow,
)
from tests.matrix.shapes import SHAPES, Node, Shape

Case = tuple[Shape, Node, Way, str]

CASES: list[Case] = [
    (shape, node, way, executor)
    for shape, node, way, executor in thinned(("local", "inline", "spawn"), SHAPES, WAYS)
    if executor != "inline" or way.name in INLINE
]
ROLES = {"start", "split", "foreach", "switch", "child", "gang", "join", "end"}


def features(case: Case) -> Iterator[Hashable]:
    """What the usual cases must have: each shape, each way; each kind of way in each role."""
    shape, node, way, executor = case
    yield executor, way.keeps
    if executor == "local":
        yield shape.name
        yield way.name
        yield from ((role, way.keeps) for role in shape.roles(node) & ROLES)


def name_of(shape: Shape, node: Node, way: Way, executor: str) -> str:
    return f"{shape.name}-{node.name}-{way.name}-{executor}"


@pytest.mark.parametrize(("shape", "node", "way", "executor"), parameters(CASES, features, name_of))
def test_failed_run_is_resumed_where_it_failed(
    make_lab: Callable[[Shape, str], Lab], shape: Shape, node: Node, way: Way, executor: str
) -> None:
    lab = write_flow(make_lab(shape, executor))
    key = [task.key for task in lab.model.tasks if task.step == node.name][-1]

    break_task(lab, key, way)
    failed = lab.run(code=1)
    check_failure(failed, key, way)

    mend(lab)
    resumed = lab.resume()
    check_resumed(resumed, failed, rerun=lab.model.with_gangs(lab.model.keys - failed.succeeded()))

    undisturbed = lab.run()
    assert undisturbed.run.id == "3"
    assert not differences(resumed, undisturbed)


def check_failure(outcome: Outcome, key: Key, way: Way) -> None:
    task, run = outcome.tasks[key], outcome.run
    before = outcome.model.before(key)

    assert outcome.executed[key] == 1
    assert (run.status, run.successful, run.finished) == (Status.FAILED, False, False)
    assert outcome.lab.flow().latest_successful_run is None
    assert (task.status, task.finished, task.successful) == (Status.FAILED, False, False)
    assert not outcome.model.behind(key) & set(outcome.tasks)
    assert set(outcome.tasks) <= outcome.model.keys
    assert before <= outcome.succeeded()
    assert ("before" in task) is way.keeps
    assert ("word" in task) is (way.keeps and not outcome.model[key].is_cut_off)
    assert "lock" not in task
    if way.raises:
        assert way.raises in ("*", task.exception.type)
    else:
        assert task.exception is None
    assert outcome.lab.executor == "inline" or task.stdout == f"{key} of run {run.id}\n"
    lines = outcome.called.stderr.splitlines()
    assert "    Step failure:" in lines
    assert f"    Step {key[0]} (task-id {task.id}) failed." in lines
    assert way.says in outcome.called.stderr
    assert outcome.called.stdout.rstrip().endswith("Workflow failed.")
