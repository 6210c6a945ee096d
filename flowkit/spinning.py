"""``spin``: one step of a flow, as it is now, run again on the inputs of an earlier task."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from flowkit import wiring
from flowkit.api import checked_graph, interruptible, write_text
from flowkit.authoring.builtin import catch
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.parameters import ParameterContext, parameter_values
from flowkit.client.lookup import each_run, find_task, newest_task
from flowkit.config import Settings
from flowkit.content.runlog import RunLogWriter
from flowkit.content.store import ArtifactStore
from flowkit.exceptions import InternalError, InvalidPathspecError, NotFoundError, UsageError
from flowkit.graph.graph import Graph
from flowkit.model.events import RunEnded
from flowkit.model.manifest import ArtifactRef, Manifest
from flowkit.model.pathspec import check_task_id
from flowkit.model.records import SPIN_TAG, NewRun, RunLease, RunRecord, TaskRecord
from flowkit.model.tasks import TaskResult, TaskSpec
from flowkit.ports.executor import Executor
from flowkit.ports.listener import Listener
from flowkit.ports.metadata import MetadataReader, MetadataWriter
from flowkit.runtime.policies import step_needs
from flowkit.runtime.recorded import OneTask, recorded_spec
from flowkit.runtime.reporting import Reporter
from flowkit.runtime.root import RUN_INFO, RunFacts, save_root
from flowkit.runtime.runner import Policy, Runner

_NEWEST_RUNS = 20
"""How many runs are looked through for a task of a step that is named alone."""
_ITEM = "input"
_LOCAL = ("local", "inline")


@dataclass(frozen=True, slots=True)
class SpinRequest:
    """What a user asks for when spinning a step.

    Attributes:
        path: ``step``, ``run/step`` or ``run/step/task``; the flow's name may stand before. Where
            no run or task is named, the newest one is taken.
        artifacts: Values to see instead of the recorded ones, by name; "input" is the foreach
            item. For a join: by name of a preceding step, or by position among the inputs, a
            mapping of these.
        skip_decorators: Call the bare step.
        persist: Keep the task, in a run of its own that is nobody's latest one.
        max_num_splits: How many branches a foreach may have.
        max_log_size: Megabytes of log kept per stream.
        run_id_file: Where the run id is written before the task starts.
        attribute_file: Where run, flow, step, task and metadata are written as JSON, likewise.
    """

    path: str
    artifacts: Mapping[str | int, Any] = field(default_factory=dict)
    skip_decorators: bool = False
    persist: bool = False
    max_num_splits: int = 100
    max_log_size: float = 10
    run_id_file: str | None = None
    attribute_file: str | None = None


@dataclass(frozen=True, slots=True)
class SpinEnded:
    """What came of spinning a step.

    Attributes:
        origin: Pathspec of the task whose inputs were taken.
        result: What the attempt gave.
        ended: Whether it succeeded, and why not.
        artifacts: What the step assigned or changed, by name.
        pathspec: Of the task that was kept; None when it wasn't.
    """

    origin: str
    result: TaskResult
    ended: RunEnded
    artifacts: Mapping[str, ArtifactRef]
    pathspec: str | None = None


def spin(
    flow: FlowDef, request: SpinRequest, settings: Settings, listeners: Sequence[Listener] = ()
) -> SpinEnded:
    """Run one step again on recorded inputs; a failed step does not raise.

    The step runs in one isolated task on this machine, with the code of now, once: retries and
    ``@catch`` are left out, so that a failure is seen. Unless it is to be kept, no run is created.

    Args:
        flow: The flow.
        request: What the user asks for.
        settings: Where things are and who runs it.
        listeners: Told of every event.

    Raises:
        LintError: The flow's graph breaks rules.
        UsageError: There is no such step, it belongs to a gang, or artifacts don't fit.
        NotFoundError: There is no task of this step whose inputs could be taken.
        Interrupted: The task was stopped by a signal.
    """
    graph = checked_graph(flow)
    address = _Address.parse(flow.name, request.path)
    if address.step not in graph:
        known = ", ".join(graph.nodes)
        raise UsageError(f"invalid step name '{address.step}': valid step names are: {known}")
    flow = _bared(flow, address.step, skip_all=request.skip_decorators)
    local = settings if settings.executor in _LOCAL else replace(settings, executor=_LOCAL[0])
    executor = wiring.open_executor(local, flow, graph)  # first of all: it may fork
    try:
        metadata = wiring.open_reader(settings)
        try:
            origin, task = address.find(metadata, settings.user)
            spec = recorded_spec(metadata, graph, origin, task)
        finally:
            metadata.close()
        if spec.gang is not None:
            raise UsageError(f"step '{spec.step}' runs in a gang (num_parallel), which can't spin")
        store = wiring.open_store(settings, wiring.main_module(flow))
        spec = _Inputs(flow, graph, store, settings).prepare(spec, request.artifacts)
        with _records(settings, request) as (kept, metadata_writer):
            lease = metadata_writer.create_run(_new_run(flow, settings, spec, origin))
            run_id = lease.run_id if request.persist else f"spin-{lease.token[:8]}"
            spec = replace(spec, run_id=run_id, task_id=1)
            _announce(spec, request, settings)
            source = OneTask(spec, graph, request.max_num_splits)
            with _reporter(kept, lease, request, listeners) as reporter:
                ended = _run(flow, lease, source, executor, metadata_writer, reporter)
    finally:
        executor.close()
    if source.result is None:
        raise InternalError(f"{spec.pathspec} has ended without a result")
    return SpinEnded(
        origin=f"{flow.name}/{origin.run_id}/{spec.step}/{task.task_id}",
        result=source.result,
        ended=ended,
        artifacts=_written(store, source.result),
        pathspec=spec.pathspec if request.persist else None,
    )


def _run(
    flow: FlowDef,
    lease: RunLease,
    source: OneTask,
    executor: Executor,
    metadata: MetadataWriter,
    reporter: Reporter,
) -> RunEnded:
    runner = Runner(
        lease,
        source,
        metadata=metadata,
        executor=executor,
        reporter=reporter,
        policy=Policy(max_workers=1, needs=step_needs(flow)),
    )
    with interruptible(runner.interrupt):
        return runner.run()


# --- which task -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Address:
    """The task whose inputs are taken, as far as the user has named it."""

    flow: str
    step: str
    run: str | None = None
    task: int | None = None

    @classmethod
    def parse(cls, flow: str, path: str) -> "_Address":
        parts = path.split("/")
        if parts[0] == flow and len(parts) > 1:
            parts = parts[1:]
        match parts:
            case [step]:
                return cls(flow, step)
            case [run, step]:
                return cls(flow, step, run)
            case [run, step, task]:
                return cls(flow, step, run, check_task_id(task))
            case _:
                raise InvalidPathspecError(f"{path!r} is no step, run/step or run/step/task")

    def find(self, metadata: MetadataReader, user: str) -> tuple[RunRecord, TaskRecord]:
        """Return the run and the task."""
        if self.run is None:
            return self._newest(metadata, user)
        run = metadata.run(self.flow, self.run)
        if run is None:
            raise NotFoundError(f"run '{self.flow}/{self.run}' does not exist")
        if self.task is None:
            task = newest_task(metadata, run, self.step)
        else:
            task = find_task(metadata, run, self.step, self.task)
        if task is None:
            which = "such task" if self.task is not None else "task"
            raise NotFoundError(f"run '{run.flow}/{run.run_id}' has no {which} of '{self.step}'")
        return run, task

    def _newest(self, metadata: MetadataReader, user: str) -> tuple[RunRecord, TaskRecord]:
        own = each_run(metadata, self.flow, (f"user:{user}",))
        for run in islice((run for run in own if not run.is_spin), _NEWEST_RUNS):
            task = newest_task(metadata, run, self.step)
            if task is not None:
                return run, task
        raise NotFoundError(
            f"none of the newest runs of flow '{self.flow}' by user:{user} has come to step "
            f"'{self.step}': run the flow first"
        )


def _bared(flow: FlowDef, step: str, *, skip_all: bool) -> FlowDef:
    """Return the flow with only those decorators on a step that shall work in a spin."""
    kept = [] if skip_all else [d for d in flow.steps[step].decorators if not isinstance(d, catch)]
    bare = replace(flow.steps[step], decorators=tuple(kept))
    return replace(flow, steps={**flow.steps, step: bare})


# --- what it sees ---------------------------------------------------------------------------------


class _Inputs:
    """Makes the manifests that a spun task starts from, out of recorded ones."""

    def __init__(
        self, flow: FlowDef, graph: Graph, store: ArtifactStore, settings: Settings
    ) -> None:
        self._flow = flow
        self._graph = graph
        self._store = store
        self._settings = settings

    def prepare(self, spec: TaskSpec, artifacts: Mapping[str | int, Any]) -> TaskSpec:
        """Return the spec with what the recorded run didn't have, or the user wants otherwise."""
        recorded = self._store.get_manifest(spec.root)
        new = self._new_parameters(recorded)
        spec = replace(spec, root=self._root(spec, recorded, new))
        if spec.is_join:
            return replace(spec, inputs=self._joined(spec, artifacts))
        values = dict(artifacts)
        if _ITEM in values:
            spec = self._with_item(spec, values.pop(_ITEM))
        odd = [name for name in values if not isinstance(name, str)]
        if odd:
            raise UsageError(f"artifacts are given by name: {odd[0]!r} is none")
        if not spec.inputs:
            return replace(spec, root=self._changed(spec.root, values))
        return replace(spec, inputs=(self._changed(spec.inputs[0], {**new, **values}),))

    def _new_parameters(self, recorded: Manifest) -> dict[str, Any]:
        """Return the defaults of parameters that the run didn't have yet."""
        new = {n: p for n, p in self._flow.parameters.items() if n not in recorded.artifacts}
        user = self._settings.user
        return parameter_values(new, {}, lambda name: ParameterContext(self._flow.name, user, name))

    def _root(self, spec: TaskSpec, recorded: Manifest, new: Mapping[str, Any]) -> str:
        info = self._store.load(recorded.artifacts[RUN_INFO])
        known = {name: info[name] for name in RunFacts.__slots__ if name in info}
        facts = RunFacts(**{**known, "origin_run_id": spec.run_id})
        inherited = {n: ref for n, ref in recorded.artifacts.items() if not n.startswith("_")}
        return save_root(self._store, self._flow, self._graph, new, facts, inherited)

    def _joined(self, spec: TaskSpec, artifacts: Mapping[Any, Any]) -> tuple[str, ...]:
        manifests = self._store.get_manifests(spec.inputs)
        known = [*dict.fromkeys(manifest.step for manifest in manifests), *range(len(manifests))]
        for key, values in artifacts.items():
            if key not in known or not isinstance(values, Mapping):
                raise UsageError(
                    f"step '{spec.step}' is a join: give artifacts as a dict for a step or "
                    f"position, one of {', '.join(map(repr, known))}"
                )
        return tuple(
            self._changed(digest, {**artifacts.get(step, {}), **artifacts.get(position, {})})
            for position, (digest, step) in enumerate(
                zip(spec.inputs, (manifest.step for manifest in manifests), strict=True)
            )
        )

    def _with_item(self, spec: TaskSpec, item: Any) -> TaskSpec:
        frames = spec.key.frames
        if not frames:
            raise UsageError(f"step '{spec.step}' is in no foreach and has no input")
        last = replace(frames[-1], item=self._store.save_items([item])[0])
        return replace(spec, key=replace(spec.key, frames=(*frames[:-1], last)))

    def _changed(self, digest: str, values: Mapping[str, Any]) -> str:
        if not values:
            return digest
        saved = self._store.save(values)
        for error in saved.failures.values():
            raise error
        manifest = self._store.get_manifest(digest)
        changed = replace(manifest, artifacts={**manifest.artifacts, **saved.refs})
        return self._store.put_manifest(changed)


def _written(store: ArtifactStore, result: TaskResult) -> Mapping[str, ArtifactRef]:
    if result.manifest is None:
        return {}
    manifest = store.get_manifest(result.manifest)
    return {name: manifest.artifacts[name] for name in manifest.written}


# --- what is kept of it ---------------------------------------------------------------------------


@contextmanager
def _records(settings: Settings, request: SpinRequest) -> Iterator[tuple[Settings, MetadataWriter]]:
    """Open the metadata that the task is recorded in: the user's, or one that is thrown away."""
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - only a spin needs it

    with TemporaryDirectory(prefix="flowkit-spin-") as scratch:
        kept = settings if request.persist else replace(settings, home=scratch, metadata="")
        metadata = wiring.open_writer(kept)
        try:
            yield kept, metadata
        finally:
            metadata.close()


@contextmanager
def _reporter(
    settings: Settings, lease: RunLease, request: SpinRequest, listeners: Sequence[Listener]
) -> Iterator[Reporter]:
    log = RunLogWriter(wiring.log_path(settings, lease.token))
    try:
        yield Reporter(log, listeners, request.max_log_size)
    finally:
        log.close()


def _new_run(flow: FlowDef, settings: Settings, spec: TaskSpec, origin: RunRecord) -> NewRun:
    kept = [tag for tag in origin.system_tags if not tag.startswith("user:")]
    file = os.path.abspath(flow.file) if flow.file else ""
    return NewRun(
        flow=flow.name,
        user=settings.user,
        root=spec.root,
        system_tags=(f"user:{settings.user}", *kept, SPIN_TAG),
        origin_run_id=origin.run_id,
        info={**origin.info, "file": file, "start_step": spec.step, "end_step": spec.step},
    )


def _announce(spec: TaskSpec, request: SpinRequest, settings: Settings) -> None:
    if request.run_id_file:
        write_text(request.run_id_file, spec.run_id)
    if request.attribute_file:
        facts = {
            "run_id": spec.run_id,
            "flow_name": spec.flow,
            "step_name": spec.step,
            "task_id": str(spec.task_id),
            "metadata": settings.metadata_url if request.persist else "",
        }
        write_text(request.attribute_file, json.dumps(facts))
