"""What to run and what came of it: the two messages that cross the border of a process."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flowkit import exceptions
from flowkit.enums import Cause, Status
from flowkit.model.manifest import ArtifactRef, Frame, Read, Transition

if TYPE_CHECKING:  # their dataclasses cost start-up time that most processes need not pay
    from flowkit.model.traces import Observation
    from flowkit.model.versions import Annotation, Publication


@dataclass(frozen=True, slots=True)
class TaskKey:
    """Where a task stands in its run: its step, the foreach frames around it, its iteration.

    ``iteration`` counts how often a switch step has come back to itself; 0 outside recursion.
    """

    step: str
    frames: tuple[Frame, ...] = ()
    iteration: int = 0


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """One attempt of one task, ready to be run by a worker in any process.

    Attributes:
        flow: Name of the flow.
        run_id: Id of the run within the flow, "1", "2", ...
        task_id: Id of the task within the run, 1, 2, ...
        key: Step and foreach frames.
        is_join: Whether the step receives ``inputs``.
        inputs: Digests of the manifests of the preceding tasks, in the order of ``inputs``.
        root: Digest of the manifest of the run's parameters and constants.
        attempt: 0 for the first attempt.
        max_attempts: How many attempts the user's policy allows in total.
        fallback: Whether the body is replaced by ``@catch``'s handler since the process died.
        gang: Rank and size when the task is one of a gang (``num_parallel``).
        is_watched: Whether what the step looks at is noted, as its result may be reused.
    """

    flow: str
    run_id: str
    task_id: int
    key: TaskKey
    is_join: bool
    inputs: tuple[str, ...]
    root: str
    attempt: int = 0
    max_attempts: int = 1
    fallback: "AttemptError | None" = None
    gang: "Gang | None" = None
    is_watched: bool = False

    @property
    def step(self) -> str:
        """Name of the step."""
        return self.key.step

    @property
    def pathspec(self) -> str:
        """``Flow/run/step/task``."""
        return f"{self.flow}/{self.run_id}/{self.key.step}/{self.task_id}"


@dataclass(frozen=True, slots=True)
class Gang:
    """The place of a task among those that ``num_parallel`` starts together."""

    rank: int
    size: int
    control_task_id: int


@dataclass(frozen=True, slots=True)
class Needs:
    """What an executor must know to place and bound one attempt; decision data, never code.

    Attributes:
        environment: Variables to set before the step's code runs.
        timeout: Seconds of wall time, counted from the start of the process; None: no limit.
        cpu: Processors.
        gpu: Accelerators.
        memory: Megabytes.
        is_declared: Whether the step says what it needs of the machine; such tasks wait for
            each other, the others only for a free worker.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None
    cpu: float = 1
    gpu: float = 0
    memory: int | None = None
    is_declared: bool = False


@dataclass(frozen=True, slots=True)
class AttemptError:
    """Why an attempt did not succeed, in text only: nobody unpickles an exception to show it.

    Attributes:
        cause: One of the closed list.
        message: One sentence for a human.
        type: Qualified name of the exception's class, "" when there was none.
        traceback: The user's frames, ready to print; "" when there was no exception.
        is_charged: Whether the failure counts against the user's retries.
        is_retryable: False when another attempt can't help (exit code 202).
    """

    cause: Cause
    message: str
    type: str = ""
    traceback: str = ""
    is_charged: bool = True
    is_retryable: bool = True

    @property
    def exit_code(self) -> int:
        """What a run exits with that this ended: 1, or the code of what the store raised."""
        if self.cause is not Cause.STORAGE:
            return 1
        name = self.type.removeprefix("flowkit.exceptions.")
        code: int = getattr(exceptions, name, exceptions.StorageError).exit_code
        return code


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What one attempt gave; success needs exit code 0 and a manifest whose blobs are durable.

    Attributes:
        spec: The spec that was run.
        status: SUCCEEDED, FAILED or CACHED.
        manifest: Digest of the output manifest; None when the attempt left none.
        next: The transition that the step took; None for the end step and for failures.
        error: Set when the attempt failed, or when ``@catch`` took its failure.
        written: The artifacts this attempt assigned, without their inline bytes.
        reads: What the attempt read from its inputs.
        origin: Pathspec of the task this result was taken from (resume, cache); None if it ran.
        publishes: What shall become versions of named artifacts.
        annotations: Metadata that the attempt has logged.
        observation: What a watched attempt did beside that; None for others.
    """

    spec: TaskSpec
    status: Status
    manifest: str | None = None
    next: Transition | None = None
    error: AttemptError | None = None
    written: Mapping[str, ArtifactRef] = field(default_factory=dict)
    reads: tuple[Read, ...] = ()
    origin: str | None = None
    publishes: "tuple[Publication, ...]" = ()
    annotations: "tuple[Annotation, ...]" = ()
    observation: "Observation | None" = None


__all__ = ["AttemptError", "Frame", "Gang", "Needs", "TaskKey", "TaskResult", "TaskSpec"]
