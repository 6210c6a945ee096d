"""The inline executor runs in this process and keeps out of the way."""

import os
import sys

import pytest

from flowkit.enums import Cause, Status
from flowkit.executors.inline import InlineExecutor
from flowkit.model.events import TaskFinished, TaskStarted
from flowkit.model.tasks import Needs, TaskResult
from flowkit.testing.attempts import make_spec
from flowkit.testing.works import succeed


def test_the_work_runs_in_this_process_at_the_next_poll():
    ran: list[tuple[int, object]] = []

    def work(spec):
        ran.append((os.getpid(), sys.stdout))
        return TaskResult(spec, Status.SUCCEEDED)

    executor = InlineExecutor(work)
    executor.submit(make_spec(), Needs())
    assert ran == []
    events = executor.poll(None)

    assert ran == [(os.getpid(), sys.stdout)]
    finished = TaskFinished(make_spec(), TaskResult(make_spec(), Status.SUCCEEDED))
    assert list(events) == [TaskStarted(make_spec()), finished]


def test_each_poll_runs_one_task():
    executor = InlineExecutor(succeed)
    for i in range(3):
        executor.submit(make_spec(i), Needs())

    finished = [executor.poll(0)[1].spec.task_id for _ in range(3)]
    assert finished == [0, 1, 2]
    assert list(executor.poll(None)) == []


def test_a_cancelled_task_does_not_run():
    executor = InlineExecutor(succeed)
    executor.submit(make_spec(1), Needs())
    executor.submit(make_spec(2), Needs())
    executor.cancel(1)
    events = [*executor.poll(0), *executor.poll(0)]

    results = {e.spec.task_id: e.result for e in events if isinstance(e, TaskFinished)}
    assert results[1].error is not None
    assert results[1].error.cause is Cause.CANCELLED
    assert results[2].status is Status.SUCCEEDED


def test_ctrl_c_interrupts_the_driver():
    def work(spec):
        raise KeyboardInterrupt

    executor = InlineExecutor(work)
    executor.submit(make_spec(), Needs())

    with pytest.raises(KeyboardInterrupt):
        executor.poll(None)
