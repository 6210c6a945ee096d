"""Runs that are resumed in other ways than after one failure: what is run again, what is not."""

import random
import signal
import subprocess
from collections.abc import Callable, Hashable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from flowkit.enums import Status
from tests.matrix.covering import parameters
from tests.matrix.lab import LONGEST, Called, Lab, Outcome
from tests.matrix.model import model_of
from tests.matrix.sabotage import (
    WAYS,
    break_task,
    check_resumed,
    check_steady,
    differences,
    mend,
    write_flow,
)
from tests.matrix.shapes import BY_NAME, SHAPES, Node, Shape, go
from tests.matrix.troubles import CATCH, can_be_caught

MakeLab = Callable[[Shape], Lab]
ROLES = {"start", "split", "foreach", "switch", "child", "gang", "join", "end"}
STEPS = [(shape, node) for shape in SHAPES for node in shape if model_of(shape).of([node.name])]
CATCHING = [
    (shape, node) for shape, node in STEPS if can_be_caught(shape, node) and node != shape.end
]
STEPS_NOW = ("start", "middle", "extra", "last", "end")
LONGER = (*(go(*pair) for pair in pairwise(STEPS_NOW)), go("end"))
WHOLE = [(shape,) for shape in SHAPES]
MOMENTS = [(shape, seed) for shape in SHAPES for seed in range(6)]


def roles(case: tuple[Shape, Node]) -> Iterator[Hashable]:
    shape, node = case
    yield from shape.roles(node) & ROLES


def all_roles(case: tuple[Shape]) -> Iterator[Hashable]:
    (shape,) = case
    yield from (role for node in shape for role in shape.roles(node))


def each_shape(case: tuple[Shape, int]) -> Iterator[Hashable]:
    yield case[0].name


def step_name(shape: Shape, node: Node) -> str:
    return f"{shape.name}-{node.name}"


def moment_name(shape: Shape, seed: int) -> str:
    return f"{shape.name}-{seed}"


@pytest.mark.parametrize(("shape", "node"), parameters(STEPS, roles, step_name))
def test_named_step_and_all_after_it_are_run_again(
    make_lab: MakeLab, shape: Shape, node: Node
) -> None:
    lab = write_flow(make_lab(shape))
    first = lab.run()

    resumed = lab.resume(node.name)

    check_resumed(resumed, first, rerun=lab.model.of({node.name} | shape.after(node.name)))
    assert not differences(resumed, first)


@pytest.mark.parametrize("shape", parameters(WHOLE, all_roles, str))
def test_successful_run_is_taken_over_whole(make_lab: MakeLab, shape: Shape) -> None:
    lab = write_flow(make_lab(shape))
    first = lab.run()

    copy = lab.resume()
    copy_of_copy = lab.resume("--origin-run-id", "2")

    check_resumed(copy, first, rerun=set())
    check_resumed(copy_of_copy, copy, rerun=set())
    assert not differences(copy_of_copy, first)


@pytest.mark.parametrize(("shape", "node"), parameters(STEPS, roles, step_name))
def test_resumed_run_that_fails_is_resumed_in_turn(
    make_lab: MakeLab, shape: Shape, node: Node
) -> None:
    lab = write_flow(make_lab(shape))
    key = next(task.key for task in lab.model.tasks if task.step == node.name)
    break_task(lab, key, WAYS[0])
    first = lab.run(code=1)
    later = [task.key for task in lab.model.tasks if task.key in lab.model.behind(key) | {key}]
    break_task(lab, later[-1], WAYS[0])
    second = lab.resume(code=1)
    mend(lab)

    third = lab.resume()

    assert second.run.origin_pathspec == first.run.pathspec
    check_resumed(third, second, rerun=lab.model.with_gangs(lab.model.keys - second.succeeded()))


@pytest.mark.parametrize(("shape", "node"), parameters(CATCHING, roles, step_name))
def test_task_whose_failure_was_caught_is_taken_over(
    make_lab: MakeLab, shape: Shape, node: Node
) -> None:
    catching = {node.name: [CATCH]}, {node.name: 'raise ValueError("trouble")'}
    lab = write_flow(make_lab(shape), *catching)
    end = lab.model.tasks[-1].key
    break_task(lab, end, WAYS[0])
    failed = lab.run(code=1)
    mend(lab)

    resumed = lab.resume()

    assert resumed.executed == {end: 1}
    for key in lab.model.of([node.name]):
        task = resumed.tasks[key]
        assert (task.finished, task.successful, task.exception) == (True, False, None)
        assert task.data.failure.type == "builtins.ValueError"
        assert task.origin_pathspec == failed.tasks[key].pathspec


@pytest.mark.parametrize(("shape", "node"), parameters(STEPS, roles, step_name))
def test_task_whose_result_is_lost_is_run_again_with_all_behind_it(
    make_lab: MakeLab, shape: Shape, node: Node
) -> None:
    lab = write_flow(make_lab(shape))
    first = lab.run()
    key = next(task.key for task in lab.model.tasks if task.step == node.name)
    lab.lose_result(first.tasks[key])

    resumed = lab.resume()

    assert set(resumed.tasks) == lab.model.keys
    rerun = lab.model.with_gangs(lab.model.behind(key) | {key})
    assert resumed.executed == dict.fromkeys(rerun, 1)
    check_steady(resumed)


def test_steps_behind_a_changed_transition_are_run_again(make_lab: MakeLab) -> None:
    before, after = BY_NAME["linear"], replace(BY_NAME["linear"], nodes=LONGER)
    first = write_flow(make_lab(before)).run()
    lab = replace(first.lab, shape=after)

    resumed = write_flow(lab).resume()

    rerun = lab.model.of(["middle", "extra", "last", "end"])
    assert resumed.executed == dict.fromkeys(rerun, 1)
    assert resumed.tasks["start", (), 0].origin_pathspec == "Linear/1/start/1"
    check_steady(resumed)


@pytest.mark.parametrize(("shape", "seed"), parameters(MOMENTS, each_shape, moment_name))
def test_run_whose_driver_was_killed_is_resumed(make_lab: MakeLab, shape: Shape, seed: int) -> None:
    lab = write_flow(make_lab(shape))
    undisturbed = lab.run()
    lines = len(undisturbed.called.stdout.splitlines())

    killed = run_until(lab, random.Random(seed).randrange(1, lines))

    assert killed.run.status is Status.CRASHED or killed.run.finished
    resumed = lab.resume()
    check_resumed(resumed, killed, rerun=lab.model.with_gangs(lab.model.keys - killed.succeeded()))
    assert not differences(resumed, undisturbed)


def run_until(lab: Lab, line: int) -> Outcome:
    """Run the flow and kill the driver when it has printed this many lines."""
    driver = subprocess.Popen(
        lab.command("run"),
        cwd=lab.directory,
        env=lab.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
    )
    with driver:
        assert driver.stdout is not None
        printed = [driver.stdout.readline() for _ in range(line)]
        driver.send_signal(signal.SIGKILL)
        code = driver.wait(LONGEST)
    return Outcome(lab, Called(code, "".join(printed), ""), lab.latest())
