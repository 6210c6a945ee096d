"""Tasks in the driver's own process, one after the other, for debugging."""

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from flowkit.enums import Cause
from flowkit.executors.work import Work, failed, failure
from flowkit.model.events import ExecutorEvent, TaskFinished, TaskStarted
from flowkit.model.tasks import AttemptError, Needs, TaskResult, TaskSpec


class InlineExecutor:
    """Runs each attempt in this process, at the next `poll`; a debugger works as usual.

    The streams are the driver's own, so there is no TaskOutput. Timeouts are not enforced, and
    Ctrl-C interrupts the driver, not the attempt.

    Args:
        work: Runs one attempt.
    """

    def __init__(self, work: Work) -> None:
        self.notices: list[str] = []
        self._work = work
        self._queue: deque[tuple[TaskSpec, Needs]] = deque()
        self._events: list[ExecutorEvent] = []

    def submit(self, spec: TaskSpec, needs: Needs) -> None:
        """Put an attempt into the queue."""
        self._queue.append((spec, needs))

    def poll(self, timeout: float | None) -> Sequence[ExecutorEvent]:  # noqa: ARG002 - never waits
        """Run the next attempt, if there is one, and return its events."""
        if self._queue:
            spec, needs = self._queue.popleft()
            self._events += (TaskStarted(spec), TaskFinished(spec, self._run(spec, needs)))
        events, self._events = self._events, []
        return events

    def cancel(self, task_id: int) -> None:
        """Take an attempt out of the queue."""
        for entry in list(self._queue):
            spec, _ = entry
            if spec.task_id == task_id:
                self._queue.remove(entry)
                error = AttemptError(Cause.CANCELLED, "step was cancelled")
                self._events.append(TaskFinished(spec, failed(spec, error)))

    def close(self) -> None:
        """Forget what is in the queue."""
        self._queue.clear()
        self._events.clear()

    def _run(self, spec: TaskSpec, needs: Needs) -> TaskResult:
        with _environment(needs.environment):
            try:
                return self._work(spec)
            except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever user code raises
                return failure(spec, error)


@contextmanager
def _environment(environment: Mapping[str, str]) -> Iterator[None]:
    """Set the variables for as long as an attempt runs."""
    if not environment:
        yield
        return
    before = dict(os.environ)  # noqa: TID251 - to be restored
    os.environ.update(environment)  # noqa: TID251 - sets what the task asked for
    try:
        yield
    finally:
        os.environ.clear()  # noqa: TID251
        os.environ.update(before)  # noqa: TID251
