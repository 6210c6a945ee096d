"""Artifact versions as values: what an attempt publishes, and what readers see of it later."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flowkit.enums import ArtifactType
from flowkit.model.manifest import ArtifactRef


@dataclass(frozen=True, slots=True)
class Publication:
    """A stored value that shall become a version of a named artifact.

    Attributes:
        name: Name of the artifact.
        ref: Where the value is, durable; with its inline bytes, so that it loads without a run.
        version: The version's text; None takes the next number.
        artifact_type: What the artifact is to its users.
        tags: Tags of the new version.
        metadata: Plain JSON values by key, as `flowkit.model.plainvalues` leaves them.
        attribute: The attribute that was published; "" when there was none.
        code: What tells the code that made it from other code; "" when nobody knows.
    """

    name: str
    ref: ArtifactRef
    version: str | None = None
    artifact_type: ArtifactType = ArtifactType.DATA
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    attribute: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True)
class Annotation:
    """Metadata that a task has logged: about an artifact, about itself or about its run.

    Attributes:
        subject: Pathspec of what it is about: ``Flow/run``, ``Flow/run/step/task``, or that of
            an artifact.
        values: Plain JSON values by key.
        attribute: The attribute that an artifact is at; if a version stands for that in the run,
            the metadata are the version's.
        digest: The artifact's digest.
    """

    subject: str
    values: Mapping[str, object]
    attribute: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Pin:
    """What one external artifact of a run stands for, decided once when the run starts.

    Attributes:
        attribute: The attribute of the flow.
        digest: Digest of the value.
        version_id: The version; None for a value that was given as such.
        label: How people read it: "production_model@7".
    """

    attribute: str
    digest: str
    version_id: str | None = None
    label: str = ""


@dataclass(frozen=True, slots=True)
class Producer:
    """The task that made a version."""

    flow: str
    run_id: str
    step: str
    task_id: int
    attempt: int

    @property
    def pathspec(self) -> str:
        """``Flow/run/step/task``."""
        return f"{self.flow}/{self.run_id}/{self.step}/{self.task_id}"


@dataclass(frozen=True, slots=True)
class NameRecord:
    """One named artifact: figures about its versions, deleted ones left out."""

    name: str
    created_at: int
    versions: int
    latest: str | None
    next: int
    """The number of the next version that doesn't choose its own."""


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """One version as readers see it.

    Attributes:
        key: Grows with each version of the store, in the order of commits.
        id: 32 hexadecimal characters.
        name: Name of the artifact.
        version: "7", or a text such as "v1.0".
        number: The number that the text stands for; None for a name.
        ref: The value; without inline bytes once the version is deleted.
        artifact_type: What the artifact is to its users.
        attribute: The attribute that was published; "" when there was none.
        code: What tells the code that made it from other code; "" when nobody knows.
        producer: The task that made it; None for uploads.
        user: Who made it.
        created_at: When it was committed, UTC microseconds.
        tags: Its tags, sorted.
        aliases: The aliases that point to it now, sorted.
        metadata: Plain JSON values by key; the last one logged counts.
        deleted_at: When it was deleted; None while it is there.
        deleted_by: Who deleted it.
    """

    key: int
    id: str
    name: str
    version: str
    number: int | None
    ref: ArtifactRef
    artifact_type: ArtifactType
    attribute: str
    code: str
    producer: Producer | None
    user: str
    created_at: int
    tags: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    metadata: Mapping[str, object] = field(default_factory=dict)
    deleted_at: int | None = None
    deleted_by: str | None = None

    @property
    def label(self) -> str:
        """``name@version``."""
        return f"{self.name}@{self.version}"


@dataclass(frozen=True, slots=True)
class VersionQuery:
    """Which versions are wanted; what is left empty excludes none.

    Attributes:
        name: Name of the artifact.
        version: Text of the version.
        artifact_type: Its type.
        tags: Tags that it must have, all of them.
        with_deleted: Also those that were deleted.
    """

    name: str = ""
    version: str = ""
    artifact_type: ArtifactType | None = None
    tags: tuple[str, ...] = ()
    with_deleted: bool = False


@dataclass(frozen=True, slots=True)
class AliasMove:
    """One move of an alias; ``version`` is None where it was taken away."""

    alias: str
    version: str | None
    user: str
    at: int


@dataclass(frozen=True, slots=True)
class AnnotationRecord:
    """One entry of the metadata of something; of several with one key the last one counts."""

    key: str
    value: object
    user: str
    at: int


@dataclass(frozen=True, slots=True)
class Use:
    """One attempt that read a value.

    Attributes:
        flow: Name of the flow.
        run_id: Id of the run.
        step: Name of the step.
        task_id: Id of the task.
        attempt: Number of the attempt.
        token: How it was read, as in `Read`.
        is_cached: Whether the attempt took over the result of one that had read it.
    """

    flow: str
    run_id: str
    step: str
    task_id: int
    attempt: int
    token: str
    is_cached: bool = False

    @property
    def pathspec(self) -> str:
        """``Flow/run/step/task``."""
        return f"{self.flow}/{self.run_id}/{self.step}/{self.task_id}"


@dataclass(frozen=True, slots=True)
class Output:
    """One version that a task made or took over."""

    task_id: int
    attempt: int
    attribute: str
    version: VersionRecord
