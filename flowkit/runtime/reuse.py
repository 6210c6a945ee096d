"""Results that need not be computed again: from the origin run (resume), from traces (caching)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from flowkit.content.store import ArtifactStore
from flowkit.enums import Status
from flowkit.exceptions import BlobMissing, IntegrityError
from flowkit.graph.graph import Graph, NodeType
from flowkit.model.manifest import Frame, Manifest
from flowkit.model.records import TaskRecord
from flowkit.model.tasks import TaskResult, TaskSpec
from flowkit.model.traces import Trace
from flowkit.ports.metadata import MetadataReader

PAGE = 1000
Key = tuple[str, tuple[tuple[str, int], ...], int]
"""What a task is in any run of its flow: step, foreach positions, iteration."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Which of the tasks that are about to run shall not.

    Attributes:
        held: Ids of those whose results another run is computing: ask again later.
        found: Results that have come meanwhile.
    """

    held: frozenset[int] = frozenset()
    found: tuple[TaskResult, ...] = ()


class ResultCache(Protocol):
    """Where the runner looks for an equal result before it runs a task."""

    def find(self, spec: TaskSpec) -> TaskResult | None:
        """Return a result with status CACHED that is as good as running the spec, or None."""

    def begin(self, specs: Sequence[TaskSpec]) -> Begun:
        """Take note that tasks are about to run; say which shall wait, or need not run."""

    def trace(self, result: TaskResult) -> Trace | None:
        """Return what makes the result of a watched attempt reusable; None when nothing does."""


class NoReuse:
    """Never has a result: every task is run."""

    def find(self, spec: TaskSpec) -> TaskResult | None:  # noqa: ARG002
        """Return None."""
        return None

    def begin(self, specs: Sequence[TaskSpec]) -> Begun:  # noqa: ARG002
        """Return that all of them run."""
        return Begun()

    def trace(self, result: TaskResult) -> Trace | None:  # noqa: ARG002
        """Return None."""
        return None


class OriginRun:
    """Answers from the tasks that succeeded in the run that is resumed.

    A task is reused when its counterpart succeeded, its step is not to be run again, everything
    before it was reused as well, and its transition still fits the graph; a gang only as a whole.

    Args:
        metadata: Where the origin run's tasks are listed.
        store: Where their manifests are.
        graph: The flow's graph as it is now.
        flow: Name of the flow.
        run_id: Id of the origin run.
        rerun: Steps to run again whatever became of them.
    """

    def __init__(
        self,
        metadata: MetadataReader,
        store: ArtifactStore,
        *,
        graph: Graph,
        flow: str,
        run_id: str,
        rerun: frozenset[str],
    ) -> None:
        self._store = store
        self._graph = graph
        self._rerun = rerun
        self._pathspec = f"{flow}/{run_id}"
        self._done = {
            _key(task.step, task.frames, task.iteration): task
            for task in _all_tasks(metadata, flow, run_id)
            if task.last.status.is_success
        }
        self._given: set[str] = set()
        self._behind_nothing: set[Key] = set()
        self._gangs: dict[Key, bool] = {}

    def find(self, spec: TaskSpec) -> TaskResult | None:
        """Return the origin's result for the same task."""
        key = _key(spec.step, spec.key.frames, spec.key.iteration)
        task = self._done.get(key)
        if task is None or spec.step in self._rerun or task.last.manifest is None:
            return None
        if not self._has_reused_inputs(spec, key):
            return None
        if spec.gang is not None and not self._is_gang_done(key, spec.gang.size):
            return None
        manifest = self._manifest(task.last.manifest)
        if manifest is None or not self._still_fits(spec.step, manifest):
            return None
        self._given.add(task.last.manifest)
        if manifest.next is not None and manifest.next.items == ():
            join = self._graph[spec.step].matching_join or ""
            self._behind_nothing.add(_key(join, spec.key.frames, 0))
        return TaskResult(
            spec=spec,
            status=Status.CACHED,
            manifest=task.last.manifest,
            next=manifest.next,
            error=task.last.error,
            origin=task.last.origin or f"{self._pathspec}/{task.step}/{task.task_id}",
        )

    def begin(self, specs: Sequence[TaskSpec]) -> Begun:  # noqa: ARG002
        """Return that all of them run: the origin run has ended."""
        return Begun()

    def trace(self, result: TaskResult) -> Trace | None:  # noqa: ARG002
        """Return None: tasks that run again are found by their place in the run."""
        return None

    def _has_reused_inputs(self, spec: TaskSpec, key: Key) -> bool:
        """Whether all that precedes a task was reused; a join without inputs has only a split."""
        if spec.is_join and not spec.inputs:
            return key in self._behind_nothing
        return all(digest in self._given for digest in spec.inputs)

    def _is_gang_done(self, member: Key, size: int) -> bool:
        """Whether all of a gang succeeded: its members talk to each other, so none runs alone."""
        step, (*around, (split, _)), iteration = member
        gang = (step, (*around, (split, 0)), iteration)
        if gang not in self._gangs:
            keys = [(step, (*around, (split, rank)), iteration) for rank in range(size)]
            digests = [self._done[key].last.manifest for key in keys if key in self._done]
            self._gangs[gang] = len(digests) == size and all(
                digest is not None and self._manifest(digest) is not None for digest in digests
            )
        return self._gangs[gang]

    def _manifest(self, digest: str) -> Manifest | None:
        """Return a manifest with its items; if some of it is lost, the task has to run again."""
        try:
            manifest = self._store.get_manifest(digest)
            if manifest.next is None:
                return manifest
            return replace(manifest, next=self._store.with_items(manifest.next))
        except (BlobMissing, IntegrityError):
            return None

    def _still_fits(self, step: str, manifest: Manifest) -> bool:
        node = self._graph[step]
        if manifest.next is None:
            return not node.targets
        if node.type is NodeType.SWITCH:
            return len(manifest.next.targets) == 1 and manifest.next.targets[0] in node.targets
        is_foreach = manifest.next.is_foreach
        return manifest.next.targets == node.targets and is_foreach == (
            node.type is NodeType.FOREACH
        )


def steps_from(graph: Graph, step: str) -> frozenset[str]:
    """Return a step and all that can come after it."""
    found = {step}
    pending = [step]
    while pending:
        for target in graph[pending.pop()].targets:
            if target not in found:
                found.add(target)
                pending.append(target)
    return frozenset(found)


def _key(step: str, frames: tuple[Frame, ...], iteration: int) -> Key:
    return step, tuple((frame.step, frame.index) for frame in frames), iteration


def _all_tasks(metadata: MetadataReader, flow: str, run_id: str) -> Iterator[TaskRecord]:
    before: int | None = None
    while tasks := metadata.tasks(flow, run_id, before=before, limit=PAGE):
        yield from tasks
        before = tasks[-1].task_id
