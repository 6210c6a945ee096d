"""Lineage: what an artifact was made of and what was made of it, from the reads of tasks."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from flowkit.client.lineagegraph import Lineage, LineageNode
from flowkit.model.manifest import Read
from flowkit.model.records import ArtifactRecord, TaskRecord
from flowkit.model.versions import Output, Pin, Producer, VersionRecord
from flowkit.ports.metadata import MetadataReader

_PARAMETERS = "_parameters"
_VERSION = "artifact:"


def trace(
    metadata: MetadataReader,
    version: VersionRecord,
    *,
    up: int | None = None,
    down: int | None = None,
) -> Lineage:
    """Return the lineage of a version.

    Args:
        metadata: Where the records are.
        version: The version.
        up: How many tasks to go back; None goes to the beginning.
        down: How many tasks to follow; None goes to the end.
    """
    return _Tracer(metadata).trace(_Artifact.of(version), up, down)


def trace_attribute(
    metadata: MetadataReader,
    task: TaskRecord,
    name: str,
    digest: str,
    *,
    up: int | None = None,
    down: int | None = None,
) -> Lineage:
    """Return the lineage of what a task has under a name, wherever that was made.

    Args:
        metadata: Where the records are.
        task: The task.
        name: Name of the artifact.
        digest: Digest of the value.
        up: As for `trace`.
        down: As for `trace`.
    """
    tracer = _Tracer(metadata)
    made = tracer.written(task.flow, task.run_id, name, digest, task.task_id + 1)
    return tracer.trace(made, up, down)


@dataclass(frozen=True, slots=True)
class _Artifact:
    """An artifact at one place: an attribute of a task, a parameter, or an upload."""

    id: str
    digest: str
    task: Producer | None = None
    version: str = ""
    """Id of the version, where it is known by that."""

    @property
    def attribute(self) -> str:
        return self.id.rpartition("/")[2]

    @classmethod
    def of(cls, version: VersionRecord) -> "_Artifact":
        producer = version.producer
        if producer is None:
            return cls(version.label, version.ref.digest, version=version.id)
        place = f"{producer.pathspec}/{version.attribute or version.label}"
        return cls(place, version.ref.digest, producer, version.id)


Step = Callable[[_Artifact], Iterator[Producer]]
Leap = Callable[[Producer], Iterator[_Artifact]]


class _Tracer:
    """Follows reads and writes through runs; each record is read once."""

    def __init__(self, metadata: MetadataReader) -> None:
        self.lineage = Lineage("")
        self._metadata = metadata
        self._versions = metadata.versions
        self._outputs: Callable[[str, str], Sequence[Output]] = cache(self._versions.outputs)
        self._pins: Callable[[str, str], Sequence[Pin]] = cache(self._versions.pins)
        self._origins: Callable[[str, str], Sequence[str]] = cache(self._versions.origins)

    def trace(self, start: _Artifact, up: int | None, down: int | None) -> Lineage:
        """Return the lineage of an artifact."""
        root = self._artifact_node(start)
        self.lineage.root = root.id
        self.lineage.nodes[root.id] = root
        self.walk(start, up, self.makers, self.read_by)
        self.walk(start, down, self.users, self.made_by)
        return self.lineage

    def walk(self, start: _Artifact, depth: int | None, tasks_of: Step, artifacts_of: Leap) -> None:
        """Go on from artifact to tasks to artifacts, so many tasks far."""
        is_up = artifacts_of == self.read_by
        pending = deque([(start, 0)])
        seen: set[str] = set()
        while pending:
            artifact, far = pending.popleft()
            if artifact.id in seen or (depth is not None and far >= depth):
                continue
            seen.add(artifact.id)
            for task in tasks_of(artifact):
                self._connect(artifact, task, is_up=is_up)
                for other in artifacts_of(task):
                    self._connect(other, task, is_up=not is_up)
                    pending.append((other, far + 1))

    def _connect(self, artifact: _Artifact, task: Producer, *, is_up: bool) -> None:
        made = (self._task_node(task), self._artifact_node(artifact))
        self.lineage.add(*(made if is_up else reversed(made)))

    # --- backwards --------------------------------------------------------------------------------

    def makers(self, artifact: _Artifact) -> Iterator[Producer]:
        """Yield the task that made an artifact."""
        if artifact.task is not None and artifact.task.step != _PARAMETERS:
            yield artifact.task

    def read_by(self, task: Producer) -> Iterator[_Artifact]:
        """Yield what a task read, each artifact where it was made."""
        reads = self._versions.reads(task.flow, task.run_id, task.task_id, task.attempt)
        for read in reads:
            found = self._source(task, read)
            if found is not None:
                yield found

    def _source(self, task: Producer, read: Read) -> _Artifact | None:
        if read.digest is None:
            return None
        if read.token.startswith(_VERSION):
            return self._with_id(read.token.removeprefix(_VERSION))
        name = _attribute(read.token)
        if name is None:
            return None
        for pin in self._pins(task.flow, task.run_id):
            if pin.attribute == name and pin.digest == read.digest and pin.version_id is not None:
                return self._with_id(pin.version_id)
        return self.written(task.flow, task.run_id, name, read.digest, task.task_id)

    def _with_id(self, version_id: str) -> _Artifact | None:
        found = self._versions.with_id(version_id, limit=1)
        return _Artifact.of(found[0]) if found else None

    def written(self, flow: str, run_id: str, name: str, digest: str, before: int) -> _Artifact:
        """Return an artifact where it was written: in this run, or where that took it over."""
        writers = self._versions.writers(flow, run_id, name, digest)
        earlier = [one for one in writers if one.task_id < before] or list(writers)
        found = earlier or self._taken_over(flow, run_id, name, digest)
        if not found:
            return _Artifact(f"{flow}/{run_id}/{_PARAMETERS}/0/{name}", digest)
        last = found[-1]
        task = Producer(last.flow, last.run_id, last.step, last.task_id, last.attempt)
        return _Artifact(f"{task.pathspec}/{name}", digest, task)

    def _taken_over(self, flow: str, run_id: str, name: str, digest: str) -> list[ArtifactRecord]:
        """Return who wrote an artifact among the tasks whose results a run took over."""
        origins = self._origins(flow, run_id)
        runs = dict.fromkeys(tuple(origin.split("/")[:2]) for origin in origins)
        writers = (self._versions.writers(flow, run_id, name, digest) for flow, run_id in runs)
        return [one for found in writers for one in found if _pathspec(one) in origins]

    # --- forwards ---------------------------------------------------------------------------------

    def users(self, artifact: _Artifact) -> Iterator[Producer]:
        """Yield the tasks that read an artifact."""
        task = artifact.task
        found = list(self._versions.uses(artifact.version)) if artifact.version else []
        if task is not None and not artifact.version:
            found += self._versions.readers(
                task.flow, task.run_id, artifact.attribute, artifact.digest
            )
        for use in found:
            yield Producer(use.flow, use.run_id, use.step, use.task_id, use.attempt)

    def made_by(self, task: Producer) -> Iterator[_Artifact]:
        """Yield what a task made."""
        outputs = [
            one
            for one in self._outputs(task.flow, task.run_id)
            if one.task_id == task.task_id and one.version.producer is not None
        ]
        by_attribute = {one.attribute: one.version for one in outputs if one.attribute}
        yield from (_Artifact.of(one.version) for one in outputs)
        for written in self._metadata.artifacts(task.flow, task.run_id, task.task_id, task.attempt):
            if written.name not in by_attribute and not written.name.startswith("_"):
                yield _Artifact(f"{task.pathspec}/{written.name}", written.digest, task)

    # --- nodes ------------------------------------------------------------------------------------

    def _task_node(self, task: Producer) -> LineageNode:
        return LineageNode(task.pathspec, "task", f"{task.flow}/{task.run_id}/{task.step}")

    def _artifact_node(self, artifact: _Artifact) -> LineageNode:
        versions = tuple(self._labels(artifact))
        label = ", ".join(versions) or artifact.attribute
        return LineageNode(artifact.id, "artifact", label, versions, artifact.digest)

    def _labels(self, artifact: _Artifact) -> Iterator[str]:
        task = artifact.task
        if task is None:
            if artifact.version:
                yield artifact.id
            return
        for output in self._outputs(task.flow, task.run_id):
            is_here = (
                output.task_id == task.task_id and output.version.ref.digest == artifact.digest
            )
            if is_here and artifact.attribute in (output.attribute, output.version.label):
                yield output.version.label


def _pathspec(written: ArtifactRecord) -> str:
    return f"{written.flow}/{written.run_id}/{written.step}/{written.task_id}"


def _attribute(token: str) -> str | None:
    """Return the attribute that a read's token is about; None when it is about something else."""
    kind, _, name = token.partition(":")
    if kind == "inputs":
        name = name.partition(":")[2]
    return name if kind in ("attr", "inputs", "merge") and name.isidentifier() else None
