"""Results that need not be computed again, found by the code and by what it read."""

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flowkit.authoring.builtin import environment
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.steps import StepDef
from flowkit.content.canonical import canonical_digest
from flowkit.content.hashing import digest_of
from flowkit.content.store import ArtifactStore
from flowkit.enums import Status
from flowkit.exceptions import BlobMissing, IntegrityError
from flowkit.model.manifest import Manifest, Read
from flowkit.model.tasks import TaskResult, TaskSpec
from flowkit.model.traces import Hazard, Trace, TraceBase
from flowkit.ports.traces import TraceReader
from flowkit.runtime.caching import CachePolicy, declared_files, texts
from flowkit.runtime.causes import Cause, find_cause
from flowkit.runtime.choosing import choices_of
from flowkit.runtime.fingerprint import Fingerprints
from flowkit.runtime.labels import Labels
from flowkit.runtime.taskinputs import TaskInputs, replayed

_DIRECT = "artifact:"
"""Begins the tokens of versions that the step looked up itself: next time it may find another."""
_RECENT = 20
"""How many earlier results are compared to say why a step runs."""


@dataclass(frozen=True, slots=True)
class _Key:
    """A step's base and why its results can't be reused, if they can't."""

    base: TraceBase
    hazards: tuple[str, ...]


class TraceCache:
    """Answers from the traces of earlier tasks; loads no values.

    Args:
        traces: Where the traces are.
        store: Where the manifests are.
        flow: The flow as it is now.
        policy: Which results are reused.
        main_module: The name under which ``__main__`` can be imported.
        labels: Says what results are called today; None when the flow names no artifacts.
        explain: Told, of each task that runs, what has changed since an earlier one.
    """

    def __init__(  # noqa: PLR0913 - what a result is found by, and what is said about it
        self,
        traces: TraceReader,
        store: ArtifactStore,
        flow: FlowDef,
        *,
        policy: CachePolicy,
        main_module: str = "__main__",
        labels: Labels | None = None,
        explain: Callable[[TaskSpec, str], None] = lambda _spec, _text: None,
    ) -> None:
        self._traces = traces
        self._store = store
        self._flow = flow
        self._policy = policy
        self._fingerprints = Fingerprints(flow, main_module)
        self._labels = labels
        self._explain = explain
        self._keys: dict[str, _Key] = {}
        self._told: set[tuple[str, object]] = set()
        self._manifests: dict[str, Manifest] = {}

    def find(self, spec: TaskSpec) -> TaskResult | None:
        """Return the result of a task that ran the same code and would read the same."""
        policy = self._policy
        if spec.step not in policy.steps or spec.gang is not None:
            return None
        if not policy.is_read or spec.step in policy.refresh:
            return None
        try:
            inputs = self._inputs(spec)
            key = self._key(spec)
            trace = None if key.hazards else self._lookup(inputs, key)
            found = None if trace is None else self._result(spec, inputs, trace)
            if found is None and not key.hazards:
                cause = self.cause(spec)
                self._say(spec, cause.text, cause.differences)
        except (BlobMissing, IntegrityError):
            self._say(spec, "ran because the data of its earlier result are missing or damaged")
            return None
        return found

    def trace(self, result: TaskResult) -> Trace | None:
        """Return the trace of a task that succeeded; its hazards say if it can't be reused."""
        spec, seen = result.spec, result.observation
        is_plain = result.status is Status.SUCCEEDED and result.error is None
        if not is_plain or seen is None or result.manifest is None or spec.fallback is not None:
            return None
        try:
            inputs = self._inputs(spec)
        except (BlobMissing, IntegrityError):
            return None
        key = self._key(spec)
        ignored = texts(self._flow.steps[spec.step].options.get("cache_ignores"))
        looked_up = [read.token for read in result.reads if read.token.startswith(_DIRECT)]
        hazards = (*seen.hazards, *(Hazard("artifacts", token) for token in looked_up))
        dynamic = tuple(str(hazard) for hazard in hazards if hazard.kind not in ignored)
        untraced = ("merge:", _DIRECT)
        tokens = {read.token for read in result.reads if not read.token.startswith(untraced)}
        tokens |= {f"attr:{name}" for name in inputs.differing(seen.changes)}
        tokens |= {f"materializer:{ref.materializer}" for ref in result.written.values()}
        tokens |= {"depth", "inputs"} if spec.is_join else {"depth"}
        reads = {token: inputs.identity(token) for token in sorted(tokens)}
        trace = Trace(
            key=trace_key(key.base.digest, reads),
            base=key.base,
            reads=reads,
            changes=seen.changes,
            manifest=result.manifest,
            origin=spec.pathspec,
            hazards=(*key.hazards, *dynamic),
        )
        for hazard in trace.hazards:
            self._say(spec, f"can't be reused, as the step looks at {hazard}")
        return trace

    def cause(self, spec: TaskSpec) -> Cause:
        """Return why there is no result for a task, from the earlier one that is most like it."""
        recent = self._traces.recent(spec.flow, spec.step, limit=_RECENT)
        return find_cause(recent, self._key(spec).base, self._inputs(spec))

    # --- keys -------------------------------------------------------------------------------------

    def _key(self, spec: TaskSpec) -> _Key:
        """Return what a step's results depend on beside what they read."""
        step = self._flow.steps[spec.step]
        depends = texts(step.options.get("cache_depends"))
        known = self._keys.get(spec.step)
        if known is not None and not depends:
            return known  # files may change, the code does not
        code = self._fingerprints.step(step.name)
        parts = dict(code.parts)
        parts["python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
        parts["kind"] = "join" if spec.is_join else "step"
        for path in declared_files(depends):
            parts[f"file {path}"] = _file_digest(path)
        variables = {one[4:]: None for one in depends if one.startswith("env:")}
        for name in variables:
            parts[f"environment {name}"] = str(self._policy.variables.get(name))
        declared = step.decorator(environment)
        for name, value in (declared.vars if declared else {}).items():
            parts[f"environment {name}"] = str(value)
        parts |= self._materializers(step)
        ignored = {*texts(step.options.get("cache_ignores"))}
        ignored |= {"environment"} if variables else set()
        hazards = tuple(str(hazard) for hazard in code.hazards if hazard.kind not in ignored)
        digest = canonical_digest(["fk1", spec.flow, spec.step, parts])
        base = TraceBase(digest or digest_of(repr(parts).encode()), spec.flow, spec.step, parts)
        self._keys[spec.step] = _Key(base, hazards)
        return self._keys[spec.step]

    def _materializers(self, step: StepDef) -> dict[str, str]:
        """Return the parts of materializers that the step's own values are stored with."""
        choices = choices_of(self._flow, step.name, {})
        chosen = [*choices.materializers, *(m for ms in choices.required.values() for m in ms)]
        names = [f"{one.__module__}.{one.__qualname__}" for one in chosen]
        return {f"materializer {name}": self._fingerprints.of_class(name) for name in names}

    def _lookup(self, inputs: TaskInputs, key: _Key) -> Trace | None:
        base = key.base.digest
        keys = [
            trace_key(base, {token: inputs.identity(token) for token in tokens})
            for tokens in self._traces.shapes(base)
        ]
        found = self._traces.find(keys)
        return None if found is None or found.hazards or self._is_old(found) else found

    def _is_old(self, trace: Trace) -> bool:
        limit = self._flow.steps[trace.base.step].options.get("cache_ttl")
        return limit is not None and time.time() - trace.created_at / 1e6 > float(limit)

    # --- results ----------------------------------------------------------------------------------

    def _result(self, spec: TaskSpec, inputs: TaskInputs, trace: Trace) -> TaskResult | None:
        """Build the result anew: what was written is the trace's, all else is of today's inputs."""
        earlier = self._store.get_manifest(trace.manifest)
        kept = replayed(inputs, trace)
        if kept is None:
            return None
        written = {name: earlier.artifacts[name] for name in earlier.written}
        taken = None if earlier.next is None else self._store.with_items(earlier.next)
        refs = [*written.values(), *((taken.items if taken else None) or ())]
        for ref in refs:
            self._store.payload(ref)  # read and verified, not rebuilt
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

    def _inputs(self, spec: TaskSpec) -> TaskInputs:
        root = self._manifest(spec.root)
        manifests = [self._manifest(digest) for digest in spec.inputs]
        return TaskInputs(spec, root, manifests, self._flow.read_only, self._fingerprints.of_class)

    def _manifest(self, digest: str) -> Manifest:
        if digest not in self._manifests:
            self._manifests[digest] = self._store.get_manifest(digest)
        return self._manifests[digest]

    def _say(self, spec: TaskSpec, text: str, same: object = None) -> None:
        """Explain once per step what is the same."""
        key = (spec.step, same or text)
        if text and key not in self._told:
            self._told.add(key)
            self._explain(spec, text)


def trace_key(base: str, reads: Mapping[str, str | None]) -> str:
    """Return the key of a result: the digest of its base and of all that it has read."""
    pairs = [[token, reads[token]] for token in sorted(reads)]
    return canonical_digest(["fk1", base, pairs]) or digest_of(repr((base, pairs)).encode())


def _file_digest(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return digest_of(file.read())
    except OSError:
        return ""
