"""Running a spin: one attempt through the executor and worker that run every task."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from flowkit import wiring
from flowkit.api import checked_graph
from flowkit.authoring.builtin import catch
from flowkit.authoring.flowdef import FlowDef
from flowkit.config import Settings
from flowkit.content.presence import Presence
from flowkit.content.runlog import RunLogWriter
from flowkit.content.store import ArtifactStore
from flowkit.exceptions import InternalError, UsageError
from flowkit.flowmodule import main_module
from flowkit.graph.graph import Graph
from flowkit.launching import interruptible, write_text
from flowkit.model.events import RunEnded
from flowkit.model.manifest import ArtifactRef
from flowkit.model.records import SPIN_TAG, NewRun, RunRecord
from flowkit.model.tasks import TaskResult, TaskSpec
from flowkit.ports.executor import Executor
from flowkit.ports.listener import Listener
from flowkit.ports.metadata import MetadataWriter
from flowkit.runtime.admission import Policy
from flowkit.runtime.policies import step_needs
from flowkit.runtime.recorded import OneTask, recorded_spec
from flowkit.runtime.reporting import Reporter
from flowkit.runtime.runner import Runner
from flowkit.spinning.address import Address
from flowkit.spinning.inputs import SpinInputs

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


@dataclass(frozen=True, slots=True)
class _Launch:
    """A spin about to run: everything that is known before the stores are opened."""

    flow: FlowDef
    graph: Graph
    step: str
    request: SpinRequest
    settings: Settings
    listeners: Sequence[Listener]


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
    address = Address.parse(flow.name, request.path)
    if address.step not in graph:
        known = ", ".join(graph.nodes)
        raise UsageError(f"invalid step name '{address.step}': valid step names are: {known}")
    bare = _bared(flow, address.step, skip_all=request.skip_decorators)
    launch = _Launch(bare, graph, address.step, request, settings, listeners)
    with _executor(launch) as executor:
        with closing(wiring.open_reader(settings)) as metadata:
            run, task = address.find(metadata, settings.user)
            spec = recorded_spec(metadata, graph, run, task)
        if spec.gang is not None:
            raise UsageError(f"step '{spec.step}' runs in a gang (num_parallel), which can't spin")
        origin = spec.pathspec
        store = wiring.open_store(settings, main_module(flow))
        inputs = SpinInputs(bare, graph, store, settings.user)
        spec = inputs.prepare(spec, request.artifacts)
        result, ended = _drive(launch, executor, spec, run, store)
    kept = result.spec.pathspec if request.persist else None
    return SpinEnded(origin, result, ended, _written(store, result), kept)


def _drive(
    launch: _Launch, executor: Executor, spec: TaskSpec, origin: RunRecord, store: ArtifactStore
) -> tuple[TaskResult, RunEnded]:
    """Run the one task, in a run that is thrown away unless it is to be kept."""
    request = launch.request
    with _records(launch) as (settings, metadata):
        lease = metadata.create_run(_new_run(launch, spec.root, origin))
        run_id = lease.run_id if request.persist else f"spin-{lease.token[:8]}"
        spec = replace(spec, run_id=run_id, task_id=1)
        logs = wiring.run_logs(settings, store)
        share = partial(logs.upload, lease.token) if request.persist else None
        log = RunLogWriter(logs.path(lease.token))
        with closing(Reporter(log, launch.listeners, request.max_log_size, share)) as reporter:
            _announce(spec, request, settings)
            source = OneTask(spec, launch.graph, request.max_num_splits)
            runner = Runner(
                lease,
                source,
                metadata=metadata,
                executor=executor,
                reporter=reporter,
                policy=Policy(max_workers=1, needs=step_needs(launch.flow)),
                presence=Presence(lease, metadata.sweeping, store) if request.persist else None,
            )
            with interruptible(runner.interrupt):
                ended = runner.run()
    if source.result is None:
        raise InternalError(f"{spec.pathspec} has ended without a result")
    return source.result, ended


def _bared(flow: FlowDef, step: str, *, skip_all: bool) -> FlowDef:
    """Return the flow with only those decorators on a step that shall work in a spin."""
    kept = [] if skip_all else [d for d in flow.steps[step].decorators if not isinstance(d, catch)]
    bare = replace(flow.steps[step], decorators=tuple(kept))
    return replace(flow, steps={**flow.steps, step: bare})


@contextmanager
def _executor(launch: _Launch) -> Iterator[Executor]:
    """Open the executor, first of all: the server it may fork must inherit no connection."""
    settings = launch.settings
    if settings.executor not in _LOCAL:
        settings = replace(settings, executor=_LOCAL[0])
    with closing(wiring.open_executor(settings, launch.flow, launch.graph)) as executor:
        yield executor


@contextmanager
def _records(launch: _Launch) -> Iterator[tuple[Settings, MetadataWriter]]:
    """Open the metadata that the task is recorded in: the user's, or one that is thrown away."""
    from tempfile import TemporaryDirectory  # noqa: PLC0415 - only a spin needs it

    with TemporaryDirectory(prefix="flowkit-spin-") as scratch:
        settings = launch.settings
        if not launch.request.persist:
            settings = replace(settings, home=scratch, metadata="")
        with closing(wiring.open_writer(settings)) as metadata:
            yield settings, metadata


def _new_run(launch: _Launch, root: str, origin: RunRecord) -> NewRun:
    flow, user, step = launch.flow, launch.settings.user, launch.step
    kept = [tag for tag in origin.system_tags if not tag.startswith("user:")]
    file = os.path.abspath(flow.file) if flow.file else ""
    return NewRun(
        flow=flow.name,
        user=user,
        root=root,
        system_tags=(f"user:{user}", *kept, SPIN_TAG),
        origin_run_id=origin.run_id,
        info={**origin.info, "file": file, "start_step": step, "end_step": step},
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
            "metadata": settings.metadata_location if request.persist else "",
        }
        write_text(request.attribute_file, json.dumps(facts))


def _written(store: ArtifactStore, result: TaskResult) -> Mapping[str, ArtifactRef]:
    if result.manifest is None:
        return {}
    manifest = store.get_manifest(result.manifest)
    return {name: manifest.artifacts[name] for name in manifest.written}
