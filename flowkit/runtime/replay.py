"""A task's result built anew from a trace: what it wrote then, and all else of today's inputs."""

from typing import Any

from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.typecheck import fits
from flowkit.content.store import ArtifactStore
from flowkit.enums import Status
from flowkit.model.manifest import ArtifactRef, Manifest, Read
from flowkit.model.tasks import TaskResult, TaskSpec
from flowkit.model.traces import Change, Trace
from flowkit.runtime.labels import Labels
from flowkit.runtime.taskinputs import TaskInputs


class Replay:
    """Builds results from traces.

    Args:
        flow: The flow as it is now.
        store: Where manifests and values are.
        labels: Says what results are called today; None when the flow names no artifacts.
    """

    def __init__(self, flow: FlowDef, store: ArtifactStore, labels: Labels | None) -> None:
        self._flow = flow
        self._store = store
        self._labels = labels

    def result(self, spec: TaskSpec, inputs: TaskInputs, trace: Trace) -> TaskResult | None:
        """Return the result; None if the flow of today might do otherwise.

        Raises:
            BlobMissing: Some of the data are gone.
            IntegrityError: Some are damaged.
        """
        earlier = self._store.get_manifest(trace.manifest)
        kept = replayed(inputs, trace)
        if kept is None:
            return None
        written = {name: earlier.artifacts[name] for name in earlier.written}
        taken = None if earlier.next is None else self._store.with_items(earlier.next)
        refs = [*written.values(), *((taken.items if taken else None) or ())]
        for ref in refs:
            self._store.payload(ref)  # read and verified, not rebuilt
        if not all(self._fits(name, ref) for name, ref in written.items()):
            return None  # running the step says what is wrong
        manifest = Manifest(
            artifacts={**kept, **written},
            written=earlier.written,
            reads=tuple(Read(read.token, inputs.digest(read)) for read in earlier.reads),
            next=taken,
            step=spec.step,
            frames=spec.key.frames,
        )
        publishes = self._labels.of(spec, manifest) if self._labels else ()
        if publishes is None:
            return None
        return TaskResult(
            spec=spec,
            status=Status.CACHED,
            manifest=self._store.put_manifest(manifest),
            next=taken,
            reads=manifest.reads,
            origin=trace.origin,
            publishes=publishes,
        )

    def _fits(self, name: str, ref: ArtifactRef) -> bool:
        """Whether a value fits what is declared now; it is loaded only if its type doesn't tell."""
        declared = self._flow.declarations.get(name)
        if declared is None or declared.type is Any:
            return True
        if isinstance(declared.type, type) and ref.type == self._store.type_name(declared.type):
            return True
        return fits(self._store.load(ref), declared.type)


def replayed(inputs: TaskInputs, trace: Trace) -> dict[str, ArtifactRef] | None:
    """Return what a task that is not run hands on of its inputs: merges and deletions done again.

    None if a merge might fail today, or compare values that it did not compare then.
    """
    kept = dict(inputs.inherited)
    for change in trace.changes:
        if not change.is_merge:
            for name in change.names:
                kept.pop(name, None)
        elif not _merge(inputs, change, trace, kept):
            return None
    return kept


def _merge(inputs: TaskInputs, change: Change, trace: Trace, kept: dict[str, ArtifactRef]) -> bool:
    mine = {*change.names, *kept}
    wanted = [name for name in inputs.names if name not in mine and change.takes(name)]
    if any(name not in wanted and name not in mine for name in change.include):
        return False
    for name in wanted:
        refs = inputs.values(name)
        if len(refs) > 1 and f"attr:{name}" not in trace.reads:
            return False
        kept[name] = next(iter(refs.values()))
    return True
