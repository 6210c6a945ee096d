"""Checking, running and resuming a flow as functions: what the command line and programs call."""

import json
import os
import platform
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from types import FrameType
from typing import Any

from flowkit import wiring
from flowkit.authoring.current import extended
from flowkit.authoring.decorators import FlowFacts
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.parameters import ParameterContext, parameter_values
from flowkit.config import Settings, environment_variable
from flowkit.content.presence import Presence, keep_manifest
from flowkit.content.runlog import RunLogWriter
from flowkit.content.store import ArtifactStore
from flowkit.enums import Status
from flowkit.exceptions import ConflictError, LintError, NotFoundError, StorageError, UsageError
from flowkit.graph.build import build_graph
from flowkit.graph.dataflow import Dataflow
from flowkit.graph.graph import Graph
from flowkit.graph.rules import check
from flowkit.graph.sources import Sources
from flowkit.model.events import Notice, RunEnded, RunStarted
from flowkit.model.pathspec import check_run_id, check_tag
from flowkit.model.records import NewRun, RunLease, RunRecord
from flowkit.ports.executor import Executor
from flowkit.ports.listener import Listener
from flowkit.ports.metadata import MetadataReader
from flowkit.runtime.caching import CachePolicy, cache_policy
from flowkit.runtime.policies import retry_delay, scheduler_policy, step_needs
from flowkit.runtime.reporting import Reporter
from flowkit.runtime.reuse import NoReuse, OriginRun, ResultCache, steps_from
from flowkit.runtime.root import RunFacts, save_root
from flowkit.runtime.runner import Policy, Runner
from flowkit.runtime.scheduler import Scheduler
from flowkit.runtime.takenversions import chosen_versions, refuse_taken

AWAIT_SECONDS = 0.5
"""Between two looks at a run that another process drives."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a user asks for when starting a run.

    Attributes:
        parameters: Values by parameter name, as texts or Python values.
        tags: User tags of the run.
        max_workers: How many tasks run at once.
        max_num_splits: How many branches one foreach may have.
        max_log_size: Megabytes of log kept per stream of a task.
        run_id_file: Where the run id is written before any task starts.
        attribute_file: Where run id, flow and metadata are written as JSON, likewise.
        cache: Whether earlier results are reused: True for all steps that don't say no, False for
            none, None as steps, flow and settings say.
        cache_refresh: Steps that run even so, and whose new results are reused from then on.
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    max_workers: int = 16
    max_num_splits: int = 100
    max_log_size: float = 10
    run_id_file: str | None = None
    attribute_file: str | None = None
    cache: bool | None = None
    cache_refresh: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class ResumeRequest:
    """What a user asks for when resuming a run.

    Attributes:
        origin_run_id: The run to resume; the user's latest one of this flow when None.
        step: Run this step and all after it again, also where they had succeeded.
        clone_only: Take over what had succeeded, then stop.
        run_id: Id of the new run; the next number when None. Must not be a number.
        reentrant: When a run with this id is there already, wait for its end instead of failing:
            of several processes that resume with one id, one does the work.
    """

    origin_run_id: str | None = None
    step: str | None = None
    clone_only: bool = False
    run_id: str | None = None
    reentrant: bool = False


@dataclass(frozen=True, slots=True)
class _Launch:
    """A run about to be created: everything that is known before the stores are opened."""

    flow: FlowDef
    graph: Graph
    request: RunRequest
    settings: Settings
    listeners: Sequence[Listener]
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class _Root:
    """The root manifest of a run about to be created, and how it is stored."""

    store: ArtifactStore
    save: Callable[[], str]


def checked_graph(flow: FlowDef) -> Graph:
    """Build the flow's graph.

    Raises:
        LintError: The flow breaks rules; ``problems`` has all of them.
    """
    sources = Sources()
    graph = build_graph(flow, sources)
    problems = check(graph) or Dataflow(flow, graph, sources).problems()
    if problems:
        lines = "".join(f"\n    {p.file}:{p.line}: {p.message}" for p in problems)
        raise LintError(f"flow '{flow.name}' has {len(problems)} problem(s):{lines}", problems)
    return graph


def run(
    flow: FlowDef, request: RunRequest, settings: Settings, listeners: Sequence[Listener] = ()
) -> RunEnded:
    """Run a flow to its end and return how it ended; a failed step does not raise.

    Args:
        flow: The flow.
        request: What the user asks for.
        settings: Where things are and who runs it.
        listeners: Told of every event.

    Raises:
        LintError: The flow's graph breaks rules.
        UsageError: A parameter or another part of the request can't be used; nothing was written.
        VersionExistsError: The flow declares a version that is there with other content.
        StorageError: The store can't be written; no task was started.
        Interrupted: The run was stopped by a signal; its state is CANCELLED.
    """
    launch = _Launch(flow, checked_graph(flow), request, settings, listeners)
    values = _values(launch, flow.parameters)
    with _executor(launch) as executor:
        store = _store(launch)
        _refuse_taken_versions(launch, values)
        facts = _facts(launch, None)
        root = _Root(store, partial(save_root, store, flow, launch.graph, values, facts))
        return _drive(launch, executor, root, NoReuse())


def resume(
    flow: FlowDef,
    resumption: ResumeRequest,
    request: RunRequest,
    settings: Settings,
    listeners: Sequence[Listener] = (),
) -> RunEnded:
    """Run a flow again, taking over from an earlier run what had succeeded.

    Parameters come from that run; code, decorators and graph are those of now.

    Args:
        flow: The flow.
        resumption: Which run, and what of it to run again.
        request: As for `run`; its parameters are not used.
        settings: Where things are and who runs it.
        listeners: Told of every event.

    Raises:
        NotFoundError: There is no such run.
        ConflictError: That run is still going on.
        UsageError: There is no such step.
    """
    run_id = resumption.run_id
    if run_id is not None and check_run_id(run_id).isdigit():
        raise UsageError(f"--run-id {run_id}: numbers are given by flowkit, choose another id")
    launch = _Launch(flow, checked_graph(flow), request, settings, listeners, run_id)
    graph = launch.graph
    if resumption.step is not None and resumption.step not in graph:
        raise UsageError(
            f"invalid step name '{resumption.step}' specified, must be step present in current "
            f"form of execution graph. Valid step names include: {', '.join(graph.nodes)}"
        )
    with _executor(launch) as executor:
        store = _store(launch)
        metadata = wiring.open_reader(settings)
        try:
            origin = _origin(metadata, flow.name, resumption.origin_run_id, settings.user)
            rerun = steps_from(graph, resumption.step) if resumption.step else frozenset()
            reuse = OriginRun(
                metadata, store, graph=graph, flow=flow.name, run_id=origin.run_id, rerun=rerun
            )
        finally:
            metadata.close()
        taken = store.get_manifest(origin.root).artifacts
        inherited = {name: taken[name] for name in flow.parameters if name in taken}
        new = {name: p for name, p in flow.parameters.items() if name not in taken}
        facts = _facts(launch, origin.run_id)
        values = _values(launch, new)
        root = _Root(store, partial(save_root, store, flow, graph, values, facts, inherited))
        try:
            return _drive(launch, executor, root, reuse, origin, clone_only=resumption.clone_only)
        except ConflictError:
            if not resumption.reentrant or run_id is None:
                raise
    return _await_end(settings, flow.name, run_id)


def configs_to_resume(
    flow: FlowDef, origin_run_id: str | None, settings: Settings
) -> tuple[str, dict[str, Any]]:
    """Return the id of the run that `resume` would take, and the values of its configs.

    Everything that is opened for that is closed again: a server may be forked after it.

    Args:
        flow: The flow, as it is written.
        origin_run_id: As in `ResumeRequest`.
        settings: Where things are and who runs it.

    Raises:
        NotFoundError: There is no such run.
        ConflictError: That run is still going on.
    """
    metadata = wiring.open_reader(settings)
    try:
        origin = _origin(metadata, flow.name, origin_run_id, settings.user)
    finally:
        metadata.close()
    store = wiring.open_store(settings, wiring.main_module(flow))
    taken = store.get_manifest(origin.root).artifacts
    configs = {name: store.load(taken[name]) for name in flow.configs if name in taken}
    return origin.run_id, configs


def _await_end(settings: Settings, flow: str, run_id: str) -> RunEnded:
    """Wait for the end of a run that another process drives."""
    metadata = wiring.open_reader(settings)
    pause = threading.Event()
    try:
        while True:
            found = metadata.run(flow, run_id)
            if found is None:
                raise NotFoundError(f"run {flow}/{run_id} has disappeared")
            if found.status is Status.CRASHED:
                raise ConflictError(
                    f"run {flow}/{run_id} was driven by {found.holder}, which has died: resume it"
                )
            if found.status.is_terminal:
                seconds = ((found.finished_at or found.created_at) - found.created_at) / 1e6
                return RunEnded(flow, run_id, found.status, seconds)
            pause.wait(AWAIT_SECONDS)
    finally:
        metadata.close()


def _origin(metadata: MetadataReader, flow: str, run_id: str | None, user: str) -> RunRecord:
    """Return the run to resume."""
    if run_id is not None:
        origin = metadata.run(flow, run_id)
        if origin is None:
            raise NotFoundError(f"Resume could not find run id {run_id} of flow '{flow}'")
    else:
        from flowkit.client.lookup import each_run  # noqa: PLC0415 - a plain run needs no client

        own = each_run(metadata, flow, (f"user:{user}",))
        origin = next((run for run in own if not run.is_spin), None)
        if origin is None:
            raise NotFoundError(
                f"there is no run of flow '{flow}' by user:{user} to resume: start one with 'run', "
                "or name one with --origin-run-id"
            )
    if not origin.status.is_terminal:
        raise ConflictError(
            f"run {flow}/{origin.run_id} is still running ({origin.holder}): wait for it or stop it"
        )
    return origin


def _drive(
    launch: _Launch,
    executor: Executor,
    root: _Root,
    reuse: ResultCache,
    origin: RunRecord | None = None,
    *,
    clone_only: bool = False,
) -> RunEnded:
    """Create the run and see it through to its end."""
    flow, graph, request, settings = launch.flow, launch.graph, launch.request, launch.settings
    digest = root.save()
    metadata = wiring.open_writer(settings)
    try:
        lease = metadata.create_run(_new_run(launch, digest, origin))
        log = RunLogWriter(wiring.log_path(settings, lease.token))
        try:
            keep_manifest(metadata.sweeping, root.store, digest, root.save)
            _announce(lease, request, settings)
            reporter = Reporter(log, launch.listeners, request.max_log_size)
            reporter.tell(RunStarted(flow.name, lease.run_id, origin.run_id if origin else None))
            caching = _cache_policy(launch)
            rules = scheduler_policy(flow, graph, request.max_num_splits)
            if origin is None and caching.steps:
                rules = replace(rules, watched=caching.steps)
                reuse = _trace_cache(launch, caching, root.store, reporter)
            runner = Runner(
                lease,
                Scheduler(graph, flow=flow.name, run_id=lease.run_id, root=digest, policy=rules),
                metadata=metadata,
                executor=executor,
                reporter=reporter,
                policy=Policy(
                    max_workers=0 if clone_only else request.max_workers,
                    needs=step_needs(flow),
                    retry_delay=partial(retry_delay, flow),
                ),
                reuse=reuse,
                presence=Presence(lease, metadata.sweeping, root.store, _kept(settings, origin)),
            )
            with interruptible(runner.interrupt):
                return runner.run()
        except StorageError:
            metadata.finish_run(lease, Status.FAILED)
            raise
        finally:
            log.close()
    finally:
        metadata.close()


def _kept(settings: Settings, origin: RunRecord | None) -> str:
    """Return the run that is resumed: nobody can delete it now, unless that has happened before."""
    if origin is None:
        return ""
    metadata = wiring.open_reader(settings)
    try:
        is_there = metadata.run(origin.flow, origin.run_id) is not None
    finally:
        metadata.close()
    return f"{origin.flow}/{origin.run_id}" if is_there else ""


def _cache_policy(launch: _Launch) -> CachePolicy:
    request = launch.request
    return cache_policy(
        launch.flow,
        asked=request.cache,
        default=launch.settings.cache,
        refresh=request.cache_refresh,
        variable=environment_variable,
    )


def _trace_cache(
    launch: _Launch, policy: CachePolicy, store: ArtifactStore, reporter: Reporter
) -> ResultCache:
    from flowkit.runtime.tracecache import TraceCache  # noqa: PLC0415 - only runs with caching

    return TraceCache(
        wiring.open_reader(launch.settings).traces,
        store,
        launch.flow,
        policy=policy,
        main_module=wiring.main_module(launch.flow),
        explain=lambda spec, text: reporter.tell(Notice(text, spec)),
    )


# --- before a run ---------------------------------------------------------------------------------


@contextmanager
def _executor(launch: _Launch) -> Iterator[Executor]:
    """Open the executor, first of all: the server it may fork must inherit no connection.

    What can be wrong with the request is found before that.
    """
    scheduler_policy(launch.flow, launch.graph, launch.request.max_num_splits)
    _cache_policy(launch)
    for tag in launch.request.tags:
        check_tag(tag)
    executor = wiring.open_executor(launch.settings, launch.flow, launch.graph)
    try:
        yield executor
    finally:
        executor.close()


def _store(launch: _Launch) -> ArtifactStore:
    return wiring.open_store(launch.settings, wiring.main_module(launch.flow))


def _refuse_taken_versions(launch: _Launch, values: Mapping[str, Any]) -> None:
    chosen = chosen_versions(launch.flow, values)
    if chosen:
        metadata = wiring.open_reader(launch.settings)
        try:
            refuse_taken(launch.flow, launch.graph, chosen, metadata.versions)
        finally:
            metadata.close()


def _values(launch: _Launch, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of some of the flow's parameters."""
    settings = launch.settings

    def context(name: str) -> ParameterContext:
        return ParameterContext(
            flow_name=launch.flow.name,
            user_name=settings.user,
            parameter_name=name,
            logger=_to_stderr,
            ds_type=settings.datastore.partition("://")[0],
            configs=launch.flow.seen_configs,
        )

    current = {name: v for facts in _decorator_facts(launch) for name, v in facts.current.items()}
    with extended(current):
        return parameter_values(parameters, launch.request.parameters, context)


def _to_stderr(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _facts(launch: _Launch, origin_run_id: str | None) -> RunFacts:
    settings = launch.settings
    current: dict[str, Any] = {}
    for facts in _decorator_facts(launch):
        current.update(facts.current)
    return RunFacts(
        current=current,
        user=settings.user,
        tags=tuple(launch.request.tags),
        namespace=settings.namespace,
        tempdir=settings.tempdir,
        origin_run_id=origin_run_id,
    )


def _decorator_facts(launch: _Launch) -> list[FlowFacts]:
    flow, user = launch.flow, launch.settings.user
    return [decorator.facts(flow.name, user) for decorator in flow.decorators]


def _new_run(launch: _Launch, root: str, origin: RunRecord | None) -> NewRun:
    from flowkit import __version__  # noqa: PLC0415 - the facade imports lazily from here

    flow, settings = launch.flow, launch.settings
    version = platform.python_version()
    return NewRun(
        flow=flow.name,
        user=settings.user,
        root=root,
        tags=sorted(set(launch.request.tags)),
        system_tags=(
            f"user:{settings.user}",
            "runtime:dev",
            f"python_version:{version}",
            f"flowkit_version:{__version__}",
            *(tag for facts in _decorator_facts(launch) for tag in facts.system_tags),
        ),
        origin_run_id=origin.run_id if origin else None,
        run_id=launch.run_id,
        info={
            "file": os.path.abspath(flow.file) if flow.file else "",
            "start_step": launch.graph.start,
            "end_step": launch.graph.end,
            "python_version": version,
            "flowkit_version": __version__,
            "datastore": settings.datastore,
        },
    )


def _announce(lease: RunLease, request: RunRequest, settings: Settings) -> None:
    """Write the run's id where the user asked for it, before any task starts."""
    if request.run_id_file:
        write_text(request.run_id_file, lease.run_id)
    if request.attribute_file:
        facts = {
            "run_id": lease.run_id,
            "flow_name": lease.flow,
            "metadata": settings.metadata_location,
        }
        write_text(request.attribute_file, json.dumps(facts))


def write_text(path: str, text: str) -> None:
    """Write a file that the user asked for; StorageError when that fails."""
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StorageError(f"can't write {path}: {error.strerror}") from None


@contextmanager
def interruptible(interrupt: Callable[[int], None]) -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into an orderly end of the run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, _frame: FrameType | None) -> None:
        interrupt(number)

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, on_signal) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
