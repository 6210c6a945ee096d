"""Results that need not be computed again, found by the code and by what it read."""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from flowkit.authoring.builtin import environment
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.steps import StepDef
from flowkit.content.canonical import canonical_digest
from flowkit.content.hashing import digest_of
from flowkit.content.store import ArtifactStore
from flowkit.enums import Status
from flowkit.exceptions import BlobMissing, IntegrityError
from flowkit.model.manifest import Manifest
from flowkit.model.tasks import TaskResult, TaskSpec
from flowkit.model.traces import Trace, TraceBase
from flowkit.ports.traces import TraceReader
from flowkit.runtime.caching import CachePolicy, declared_files, texts
from flowkit.runtime.causes import Cause, find_cause
from flowkit.runtime.choosing import choices_of
from flowkit.runtime.fingerprint import Fingerprints
from flowkit.runtime.labels import Labels
from flowkit.runtime.producers import Producers
from flowkit.runtime.replay import Replay
from flowkit.runtime.reuse import Begun
from flowkit.runtime.taskinputs import Elsewhere, TaskInputs

_RECENT = 20
"""How many earlier results are compared to say why a step runs."""
_EXPLAINED = 20
"""For how many tasks of one step that is done."""

Claim = Callable[[Mapping[int, Sequence[str]]], Mapping[int, str]]
"""Claims results for tasks by id; returns those that another run is computing, with that run."""


def _claim_nothing(_wanted: Mapping[int, Sequence[str]]) -> Mapping[int, str]:
    return {}


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
        claim: Keeps other runs from computing what this one is about to compute.
        elsewhere: Finds named artifacts that steps look for by themselves.
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
        claim: Claim = _claim_nothing,
        elsewhere: Elsewhere = lambda _token: None,
        explain: Callable[[TaskSpec, str], None] = lambda _spec, _text: None,
    ) -> None:
        self._traces = traces
        self._store = store
        self._flow = flow
        self._policy = policy
        self._fingerprints = Fingerprints(flow, main_module)
        self._claim = claim
        self._elsewhere = elsewhere
        self._explain = explain
        self._producers = Producers(self._manifest)
        self._explained: dict[str, int] = {}
        self._replay = Replay(flow, store, labels)
        self._keys: dict[str, _Key] = {}
        self._told: set[tuple[str, object]] = set()
        self._manifests: dict[str, Manifest] = {}

    def find(self, spec: TaskSpec) -> TaskResult | None:
        """Return the result of a task that ran the same code and would read the same."""
        key = self._key(spec) if self._is_looked_up(spec) else None
        if key is None or key.hazards:
            return None
        try:
            inputs = self._inputs(spec)
            trace = self._usable(self._traces.find(list(self._keys_of(inputs, key).values())))
            result = None if trace is None else self._replay.result(spec, inputs, trace)
        except (BlobMissing, IntegrityError):
            self._say(spec, "ran because the data of its earlier result are missing or damaged")
            return None
        if result is not None and result.manifest is not None:
            left = self._manifest(result.manifest)
            self._producers.wrote(spec.step, {n: left.artifacts[n] for n in left.written})
            self._producers.reused(spec.step, str(result.origin))
        return result

    def begin(self, specs: Sequence[TaskSpec]) -> Begun:
        """Claim the results of tasks that are about to run, and look once more for them.

        Another run may have computed one between the first look and the claim.
        """
        looked_up = [spec for spec in specs if self._is_looked_up(spec)]
        wanted = {spec.task_id: self._claimed_keys(spec) for spec in looked_up}
        wanted = {task_id: keys for task_id, keys in wanted.items() if keys}
        held = self._claim(wanted) if wanted else {}
        found = {}
        for spec in looked_up:
            holder = held.get(spec.task_id)
            result = self.find(spec) if spec.task_id in wanted and holder is None else None
            if holder is not None:
                self._say(spec, f"waits for run {holder}, which is computing the same", spec)
            elif result is not None:
                found[spec.task_id] = result
            else:
                self._explain_run(spec)
        return Begun(frozenset(held), tuple(found.values()))

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
        if not all(map(inputs.is_steady, result.reads)):
            return None  # another version was published meanwhile: who knows what it would read
        key = self._key(spec)
        ignored = texts(self._flow.steps[spec.step].options.get("cache_ignores"))
        dynamic = tuple(str(hazard) for hazard in seen.hazards if hazard.kind not in ignored)
        tokens = {read.token for read in result.reads if not read.token.startswith("merge:")}
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
        self._producers.wrote(spec.step, result.written)
        for hazard in trace.hazards:
            self._say(spec, f"can't be reused, as the step looks at {hazard}")
        return trace

    def cause(self, spec: TaskSpec) -> Cause:
        """Return why there is no result for a task, from the earlier one that is most like it."""
        recent = self._traces.recent(spec.flow, spec.step, limit=_RECENT)
        inputs = self._inputs(spec)
        origin = partial(self._producers.origin, spec, inputs)
        return find_cause(recent, self._key(spec).base, inputs, origin)

    def _explain_run(self, spec: TaskSpec) -> None:
        """Say why a task runs; of very many like it, some will do."""
        self._explained[spec.step] = self._explained.get(spec.step, 0) + 1
        if self._explained[spec.step] > _EXPLAINED or self._key(spec).hazards:
            return
        try:
            cause = self.cause(spec)
        except (BlobMissing, IntegrityError):
            return  # the task will say so
        self._producers.ran(spec.step, cause)
        self._say(spec, cause.text, cause.differences)

    # --- keys -------------------------------------------------------------------------------------

    def base(self, step: str, *, is_join: bool) -> TraceBase:
        """Return what a step's results depend on beside what they read."""
        return self._key_of(step, is_join=is_join).base

    def _key(self, spec: TaskSpec) -> _Key:
        return self._key_of(spec.step, is_join=spec.is_join)

    def _key_of(self, of: str, *, is_join: bool) -> _Key:
        step = self._flow.steps[of]
        depends = texts(step.options.get("cache_depends"))
        known = self._keys.get(of)
        if known is not None and not depends:
            return known  # files may change, the code does not
        code = self._fingerprints.step(step.name)
        parts = dict(code.parts)
        parts["python"] = f"{sys.version_info.major}.{sys.version_info.minor}"
        parts["kind"] = "join" if is_join else "step"
        for path in declared_files(depends):
            parts[f"file {path}"] = _file_digest(path)
        variables = {one[4:]: None for one in depends if one.startswith("env:")}
        for name in variables:
            value = self._policy.variables.get(name)
            parts[f"environment {name}"] = canonical_digest(value) or ""
        declared = step.decorator(environment)
        for name, given in (declared.vars if declared else {}).items():
            parts[f"environment {name}"] = canonical_digest(str(given)) or ""
        parts |= self._materializers(step)
        ignored = {*texts(step.options.get("cache_ignores"))}
        ignored |= {"environment"} if variables else set()
        hazards = tuple(str(hazard) for hazard in code.hazards if hazard.kind not in ignored)
        digest = canonical_digest(["fk1", self._flow.name, of, parts])
        base = TraceBase(digest or digest_of(repr(parts).encode()), self._flow.name, of, parts)
        self._keys[of] = _Key(base, hazards)
        return self._keys[of]

    def _materializers(self, step: StepDef) -> dict[str, str]:
        """Return the parts of materializers that the step's own values are stored with."""
        choices = choices_of(self._flow, step.name, {})
        chosen = [*choices.materializers, *(m for ms in choices.required.values() for m in ms)]
        names = [f"{one.__module__}.{one.__qualname__}" for one in chosen]
        return {f"materializer {name}": self._fingerprints.of_class(name) for name in names}

    def _is_looked_up(self, spec: TaskSpec) -> bool:
        policy = self._policy
        is_asked = policy.is_read and spec.step in policy.steps and spec.step not in policy.refresh
        return is_asked and spec.gang is None and spec.fallback is None

    def _keys_of(self, inputs: TaskInputs, key: _Key) -> Mapping[tuple[str, ...], str]:
        """Return the keys that a result would have by what was read, the newest way first."""
        base = key.base.digest
        return {
            tokens: trace_key(base, {token: inputs.identity(token) for token in tokens})
            for tokens in self._traces.shapes(base)
        }

    def _claimed_keys(self, spec: TaskSpec) -> tuple[str, ...]:
        """Return under what a result is claimed before anybody knows what it will read.

        One key is made of all that it could read; another one, where the code has run before, of
        what it has read last: that one is the same whatever else differs. () if the result can't
        be reused, so that nobody waits for it in vain.
        """
        key = self._key(spec)
        if key.hazards:
            return ()
        try:
            inputs = self._inputs(spec)
        except (BlobMissing, IntegrityError):
            return ()
        keys = list(self._keys_of(inputs, key).values())
        known = self._traces.find(keys)
        if known is not None and known.hazards:
            return ()
        return (trace_key(key.base.digest, {"everything": inputs.everything}), *keys[:1])

    def _usable(self, found: Trace | None) -> Trace | None:
        return None if found is None or found.hazards or self._is_old(found) else found

    def _is_old(self, trace: Trace) -> bool:
        limit = self._flow.steps[trace.base.step].options.get("cache_ttl")
        return limit is not None and time.time() - trace.created_at / 1e6 > float(limit)

    # --- inputs -----------------------------------------------------------------------------------

    def _inputs(self, spec: TaskSpec) -> TaskInputs:
        root = self._manifest(spec.root)
        manifests = [self._manifest(digest) for digest in spec.inputs]
        code = self._fingerprints.of_class
        return TaskInputs(spec, root, manifests, self._flow.read_only, code, self._elsewhere)

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
