"""What the metadata store keeps: records in, records out; times are UTC microseconds."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from flowkit.enums import Status
from flowkit.model.manifest import ArtifactRef, Read
from flowkit.model.tasks import AttemptError, Frame

if TYPE_CHECKING:  # their dataclasses cost start-up time that most processes need not pay
    from flowkit.model.traces import Trace
    from flowkit.model.versions import Annotation, Pin, Publication

SPIN_TAG = "spin"
"""The system tag of runs that are no whole run of their flow; never anybody's latest run."""


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run about to be created.

    Attributes:
        flow: Name of the flow.
        user: Name of the person.
        tags: User tags.
        system_tags: Tags such as ``user:ada`` that nobody removes.
        root: Digest of the manifest of parameters and constants, already durable.
        origin_run_id: The run that this one resumes; None otherwise.
        info: Facts as JSON values: flow file, command, versions, start and end step, ...
        run_id: Its id, when the user chose one; None takes the next number.
        pins: What its external artifacts stand for.
    """

    flow: str
    user: str
    root: str
    tags: Sequence[str] = ()
    system_tags: Sequence[str] = ()
    origin_run_id: str | None = None
    info: Mapping[str, object] = field(default_factory=dict)
    run_id: str | None = None
    pins: "Sequence[Pin]" = ()


@dataclass(frozen=True, slots=True)
class RunLease:
    """The right to write to one run, returned by ``create_run`` or ``take_over``.

    ``key`` is the run's row; ``token`` a random hexadecimal name, safe in paths (log file, lock
    file); every write with an old ``epoch`` is refused. ``sweeps`` is the store's counter of
    garbage collections when the lease was given.
    """

    flow: str
    run_id: str
    key: int
    token: str
    epoch: int
    sweeps: int = 0


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run as readers see it."""

    flow: str
    run_id: str
    key: int
    token: str
    status: Status
    user: str
    root: str
    created_at: int
    finished_at: int | None
    origin_run_id: str | None
    tags: tuple[str, ...]
    system_tags: tuple[str, ...]
    info: Mapping[str, object]
    holder: str = ""
    """Host and process of the driver, for messages."""

    @property
    def is_spin(self) -> bool:
        """Whether ``spin --persist`` made it: one task, run again outside of its own run."""
        return SPIN_TAG in self.system_tags


@dataclass(frozen=True, slots=True)
class FlowRecord:
    """One flow: its name and figures about its runs."""

    name: str
    created_at: int
    runs: int
    last_run_id: str | None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One step of one run that has at least one task."""

    name: str
    created_at: int
    tasks: int
    counts: Mapping[Status, int]


@dataclass(frozen=True, slots=True)
class NewTask:
    """A task or a further attempt of one, about to start."""

    task_id: int
    step: str
    attempt: int
    frames: tuple[Frame, ...]
    iteration: int
    inputs: tuple[int, ...]
    """Ids of the preceding tasks, in the order of ``inputs``."""
    gang_rank: int | None = None


@dataclass(frozen=True, slots=True)
class AttemptOutcome:
    """The end of one attempt, to be committed.

    ``written`` and ``reads`` become rows. ``log_start`` and ``log_end`` bound the part of the
    run's log file that holds this attempt's lines. ``publishes`` become versions, only when the
    attempt succeeded; ``annotations`` are kept in any case.
    """

    task_id: int
    step: str
    attempt: int
    status: Status
    manifest: str | None
    error: AttemptError | None
    written: Mapping[str, ArtifactRef]
    reads: tuple[Read, ...]
    started_at: int
    finished_at: int
    log_start: int
    log_end: int
    origin: str | None = None
    publishes: "tuple[Publication, ...]" = ()
    annotations: "tuple[Annotation, ...]" = ()
    trace: "Trace | None" = None
    """What makes the result reusable; kept with the attempt."""


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """One task as readers see it, with its visible attempt."""

    flow: str
    run_id: str
    step: str
    task_id: int
    created_at: int
    frames: tuple[Frame, ...]
    iteration: int
    inputs: tuple[int, ...]
    attempts: int
    """How many attempts there are."""
    last: "AttemptRecord"
    """The visible attempt."""
    gang_rank: int | None = None


@dataclass(frozen=True, slots=True)
class AttemptRecord:
    """One attempt as readers see it."""

    task_id: int
    step: str
    attempt: int
    status: Status
    manifest: str | None
    error: AttemptError | None
    started_at: int
    finished_at: int | None
    log_start: int
    log_end: int
    origin: str | None


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """One artifact that one attempt wrote."""

    flow: str
    run_id: str
    step: str
    task_id: int
    attempt: int
    name: str
    digest: str
    materializer: str
    type: str
    size: int
    created_at: int
