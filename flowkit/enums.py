"""The closed lists of words that appear in records, in the client and on the command line."""

from enum import StrEnum


class Status(StrEnum):
    """The state of a run, a task or an attempt.

    ``CRASHED`` is never written by the driver it describes: a reader computes it from the lease.
    """

    CREATED = "created"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    CRASHED = "crashed"
    CACHED = "cached"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing will change this state any more."""
        return self not in (Status.CREATED, Status.RUNNING)

    @property
    def is_success(self) -> bool:
        """Whether the work is done, by running it or by taking over an equal result."""
        return self in (Status.SUCCEEDED, Status.CACHED)


class Cause(StrEnum):
    """Why an attempt failed: the closed list of causes."""

    EXCEPTION = "exception"
    """The step raised."""
    TRANSITION = "transition"
    """The step ended without a valid ``self.next``."""
    ARTIFACT = "artifact"
    """A value could not be stored."""
    EXIT = "exit"
    """The process exited on its own before the step had ended."""
    SIGNAL = "signal"
    """The process was killed."""
    TIMEOUT = "timeout"
    """The step ran longer than it may."""
    START = "start"
    """The process failed before user code began."""
    STORAGE = "storage"
    """The content store could not be written or read."""
    LOST = "lost"
    """The machine or the executor lost the process; not charged to the user's retries."""
    CANCELLED = "cancelled"
    """The run was stopped while the attempt ran."""


class ArtifactType(StrEnum):
    """What an artifact is to its users; the values are stored."""

    DATA = "DataArtifact"
    MODEL = "ModelArtifact"
    SERVICE = "ServiceArtifact"
    DATA_ANALYSIS = "DataAnalysisArtifact"
    BASE = "BaseArtifact"
