"""Where tasks run."""

from collections.abc import Sequence
from typing import Protocol

from flowkit.model.events import ExecutorEvent
from flowkit.model.tasks import Needs, TaskSpec


class Executor(Protocol):
    """Runs task specs somewhere and reports what happens to them.

    It is polled and never calls back, never looks into the work, never touches metadata. Every
    submitted spec yields exactly one TaskFinished, also when its process is killed: then the
    result has status FAILED and an error of cause EXIT, SIGNAL, TIMEOUT, LOST or CANCELLED.
    All TaskOutput of a spec comes before its TaskFinished. Success needs exit code 0 AND a
    result from the worker: either alone proves nothing.
    """

    notices: list[str]
    """Sentences for the user about things that were noticed, oldest first."""

    def submit(self, spec: TaskSpec, needs: Needs) -> None:
        """Start an attempt now; the runner bounds how many run at once."""

    def poll(self, timeout: float | None) -> Sequence[ExecutorEvent]:
        """Return the events since the last call, waiting up to ``timeout`` seconds for the first.

        None waits without limit. An empty sequence means that the time is up, or that nothing
        is running.
        """

    def cancel(self, task_id: int) -> None:
        """Stop the attempt: SIGTERM, and SIGKILL after a grace period; its TaskFinished follows.

        An unknown or finished task is ignored.
        """

    def close(self) -> None:
        """Kill whatever still runs and free everything; nothing is left alive. May be repeated."""
