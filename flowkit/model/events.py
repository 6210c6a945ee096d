"""What happens in a run: events from executors to the runner, and from the runner to listeners."""

from collections.abc import Sequence
from dataclasses import dataclass

from flowkit.enums import Status
from flowkit.model.tasks import AttemptError, TaskResult, TaskSpec

# --- from an executor -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TaskStarted:
    """An attempt's process runs. ``pid`` is None where there is no process of its own."""

    spec: TaskSpec
    pid: int | None = None


@dataclass(frozen=True, slots=True)
class TaskOutput:
    """Bytes that an attempt wrote to one stream ("stdout" or "stderr"), in order."""

    spec: TaskSpec
    stream: str
    data: bytes


@dataclass(frozen=True, slots=True)
class TaskFinished:
    """The one final event of every submitted spec, also when its process died."""

    spec: TaskSpec
    result: TaskResult


ExecutorEvent = TaskStarted | TaskOutput | TaskFinished

# --- from the runner, for listeners only ----------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RunStarted:
    """The run exists in the metadata; nothing has run yet."""

    flow: str
    run_id: str
    origin_run_id: str | None = None


@dataclass(frozen=True, slots=True)
class TaskQueued:
    """A task exists and waits for the executor; ``of`` is the width of its foreach, if any."""

    spec: TaskSpec
    of: int | None = None


@dataclass(frozen=True, slots=True)
class TaskLines:
    """Whole lines of one stream of an attempt, without their line ends."""

    spec: TaskSpec
    stream: str
    lines: Sequence[str]


@dataclass(frozen=True, slots=True)
class TaskEnded:
    """An attempt is committed; ``will_retry`` tells whether another one follows."""

    result: TaskResult
    seconds: float
    will_retry: bool = False


@dataclass(frozen=True, slots=True)
class Notice:
    """A sentence for the user about the run or one of its tasks."""

    message: str
    spec: TaskSpec | None = None


@dataclass(frozen=True, slots=True)
class RunEnded:
    """The run reached a terminal state; ``error`` is the first terminal failure."""

    flow: str
    run_id: str
    status: Status
    seconds: float
    failed: TaskSpec | None = None
    error: AttemptError | None = None
    tasks: int = 0
    reused: int = 0


RunEvent = RunStarted | TaskQueued | TaskStarted | TaskLines | TaskEnded | Notice | RunEnded
