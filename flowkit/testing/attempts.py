"""What tests of executors do with attempts: make specs, run them, read what came of them."""

# ruff: noqa: S101 - tests are made of assertions

import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from flowkit.enums import Status
from flowkit.model.events import ExecutorEvent, TaskFinished, TaskOutput
from flowkit.model.tasks import AttemptError, Needs, TaskKey, TaskResult, TaskSpec
from flowkit.ports.executor import Executor

PATIENCE = 180.0
"""Seconds after which a test gives up."""


def make_spec(task_id: int = 1, *inputs: str) -> TaskSpec:
    """Return a spec; the works of the suite take their arguments from ``inputs``."""
    return TaskSpec("Suite", "1", task_id, TaskKey("start"), False, inputs, "0" * 64)


class Log:
    """The events of an executor, as they come."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.events: list[ExecutorEvent] = []
        self.results: dict[int, TaskResult] = {}  # by task id
        self._deadline = time.monotonic() + PATIENCE

    def wait_until(self, condition: Callable[[], bool]) -> None:
        """Poll until something is the case; fail after `PATIENCE` seconds."""
        while not condition():
            assert time.monotonic() < self._deadline, "nothing happened for too long"
            self.poll(1.0)

    def poll(self, timeout: float) -> None:
        """Poll once and note the events."""
        for event in self.executor.poll(timeout):
            self.events.append(event)
            if isinstance(event, TaskFinished):
                assert event.spec.task_id not in self.results, "finished twice"
                self.results[event.spec.task_id] = event.result

    def wait_for_output(self, text: bytes, task_id: int = 1) -> None:
        """Poll until a task has written something to stdout."""
        self.wait_until(lambda: text in self.output(task_id))

    def result(self, task_id: int = 1) -> TaskResult:
        """Poll until a task has finished, and return its result."""
        self.wait_until(lambda: task_id in self.results)
        return self.results[task_id]

    def output(self, task_id: int = 1, stream: str = "stdout") -> bytes:
        """Return what a task has written to a stream so far."""
        return b"".join(
            event.data
            for event in self.events
            if isinstance(event, TaskOutput)
            and (event.spec.task_id, event.stream) == (task_id, stream)
        )


def run(executor: Executor, *inputs: str, needs: Needs | None = None) -> TaskResult:
    """Run one task to its end."""
    return run_all(executor, [make_spec(1, *inputs)], needs).result()


def run_all(executor: Executor, specs: Sequence[TaskSpec], needs: Needs | None = None) -> Log:
    """Run tasks to their end, all at once."""
    log = Log(executor)
    for spec in specs:
        executor.submit(spec, needs or Needs())
    log.wait_until(lambda: len(log.results) == len(specs))
    return log


def told(result: TaskResult) -> object:
    """Return the value that a work of the suite has told."""
    assert result.error is None, result.error
    assert result.manifest is not None
    return json.loads(result.manifest)


def error_of(result: TaskResult) -> AttemptError:
    """Return the error of a failed result."""
    assert result.status is Status.FAILED
    assert result.error is not None
    return result.error


def is_alive(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def wait_until_dead(pids: Sequence[int], seconds: float = PATIENCE) -> None:
    """Wait until none of the processes is alive; fail when the time is up."""
    deadline = time.monotonic() + seconds
    while alive := [pid for pid in pids if is_alive(pid)]:
        assert time.monotonic() < deadline, f"still alive: {alive}"
        os.sched_yield()
