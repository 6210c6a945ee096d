"""What the runner commits of an attempt that has ended."""

import time
from dataclasses import dataclass, replace

from flowkit.enums import Cause, Status
from flowkit.model.records import AttemptOutcome, NewTask
from flowkit.model.tasks import AttemptError, TaskResult


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt to be committed; ``new`` is set for a reused task, which has no row yet."""

    result: TaskResult
    outcome: AttemptOutcome
    new: NewTask | None = None
    will_retry: bool = False

    @property
    def seconds(self) -> float:
        """How long the attempt took."""
        return (self.outcome.finished_at - self.outcome.started_at) / 1e6


def outcome_of(
    result: TaskResult, began_at: int, finished_at: int, log: tuple[int, int]
) -> AttemptOutcome:
    """Return an attempt's outcome, its trace left out.

    Args:
        result: What the attempt gave.
        began_at: When it was submitted, in microseconds.
        finished_at: When its result came.
        log: Where its lines begin and end in the run's log.
    """
    return AttemptOutcome(
        task_id=result.spec.task_id,
        step=result.spec.step,
        attempt=result.spec.attempt,
        status=result.status,
        manifest=result.manifest,
        error=result.error,
        written=result.written,
        reads=result.reads,
        started_at=began_at,
        finished_at=finished_at,
        log_start=log[0],
        log_end=log[1],
        origin=result.origin,
        publishes=result.publishes,
        annotations=result.annotations,
    )


def stopped(outcome: AttemptOutcome, reason: str) -> AttemptOutcome:
    """Mark an attempt that was stopped; one that ended on its own just before keeps its state."""
    if outcome.status.is_success:
        return outcome
    if outcome.error is not None and outcome.error.cause is not Cause.CANCELLED:
        return outcome
    error = AttemptError(Cause.CANCELLED, f"stopped: {reason}", is_charged=False)
    return replace(outcome, status=Status.CANCELLED, error=error)


def now_micros() -> int:
    """Return the time in UTC microseconds."""
    return time.time_ns() // 1000


def is_told(error: AttemptError) -> bool:
    """Whether the attempt has itself written what went wrong to its log."""
    if error.cause is Cause.EXIT:
        return bool(error.type)  # sys.exit, not the end of the process
    return error.cause in (Cause.EXCEPTION, Cause.ARTIFACT, Cause.TRANSITION)


def chose_version(result: TaskResult) -> bool:
    """Whether an attempt publishes a version of its own choice, which may be taken."""
    return any(one.version is not None for one in result.publishes)
