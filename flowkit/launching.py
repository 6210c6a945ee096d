"""A run from what the user asks for to its end: stores, lease, scheduler, runner, in order."""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any, Literal

from flowkit import wiring
from flowkit.access import open_private
from flowkit.authoring.current import extended
from flowkit.authoring.decorators import FlowFacts
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.parameters import ParameterContext, parameter_values
from flowkit.config import Settings, environment_variable
from flowkit.content.presence import Presence, keep_manifest
from flowkit.content.runlog import RunLogWriter
from flowkit.content.store import ArtifactStore
from flowkit.enums import Status
from flowkit.exceptions import Interrupted, MetadataError, StorageError
from flowkit.flowmodule import main_module
from flowkit.graph.graph import Graph
from flowkit.model.events import Notice, RunEnded, RunStarted
from flowkit.model.pathspec import check_tag
from flowkit.model.records import NewRun, RunLease, RunRecord
from flowkit.model.versions import Pin
from flowkit.ports.executor import Executor
from flowkit.ports.listener import Listener
from flowkit.ports.metadata import MetadataReader
from flowkit.runtime.admission import Policy
from flowkit.runtime.caching import CachePolicy, cache_policy
from flowkit.runtime.failure import STORE_FAILURES
from flowkit.runtime.policies import retry_delay, scheduler_policy, step_needs
from flowkit.runtime.reporting import Reporter
from flowkit.runtime.reuse import ResultCache
from flowkit.runtime.root import RunFacts
from flowkit.runtime.runner import Runner
from flowkit.runtime.scheduler import Scheduler
from flowkit.runtime.takenversions import chosen_versions, refuse_taken

RESUMABLE = "what had succeeded is kept: once that is mended, go on with 'resume'"
"""What there is to do after a store has failed."""

if TYPE_CHECKING:
    from flowkit.runtime.tracecache import TraceCache


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
            none, None as steps, flow and settings say; "off" keeps none for later runs either.
        cache_refresh: Steps that run even so, and whose new results are reused from then on.
        pins: External artifacts by attribute, as what finds a version: "name@version".
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    max_workers: int = 16
    max_num_splits: int = 100
    max_log_size: float = 10
    run_id_file: str | None = None
    attribute_file: str | None = None
    cache: bool | Literal["off"] | None = None
    cache_refresh: Sequence[str] = ()
    pins: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Launch:
    """A run about to be created: everything that is known before the stores are opened."""

    flow: FlowDef
    graph: Graph
    request: RunRequest
    settings: Settings
    listeners: Sequence[Listener]
    run_id: str | None = None
    pins: tuple[Pin, ...] = ()


@dataclass(frozen=True, slots=True)
class Root:
    """The root manifest of a run about to be created, and how it is stored."""

    store: ArtifactStore
    save: Callable[[], str]


def drive(
    launch: Launch,
    executor: Executor,
    root: Root,
    reuse: ResultCache,
    origin: RunRecord | None = None,
    *,
    clone_only: bool = False,
) -> RunEnded:
    """Create the run and see it through to its end."""
    flow, graph, request, settings = launch.flow, launch.graph, launch.request, launch.settings
    digest = root.save()
    with ExitStack() as opened:
        metadata = opened.enter_context(closing(wiring.open_writer(settings)))
        lease = metadata.create_run(_new_run(launch, digest, origin))
        try:
            keep_manifest(metadata.sweeping, root.store, digest, root.save)
            _announce(lease, request, settings)
            logs = wiring.run_logs(settings, root.store)
            log = RunLogWriter(logs.path(lease.token))
            share = partial(logs.upload, lease.token)
            reporter = Reporter(log, launch.listeners, request.max_log_size, share)
            opened.callback(reporter.close)
            reporter.tell(RunStarted(flow.name, lease.run_id, origin.run_id if origin else None))
            for pin in launch.pins:
                text = f"{pin.attribute} -> {pin.label} ({pin.digest[:12]})"
                reporter.tell(Notice(text))
            caching = caching_of(launch)
            rules = scheduler_policy(flow, graph, request.max_num_splits)
            if origin is None and caching.steps:
                rules = replace(rules, watched=caching.steps)
                reader = opened.enter_context(closing(wiring.open_reader(settings)))
                reuse = trace_cache(
                    launch,
                    caching,
                    reader,
                    root.store,
                    claim=partial(metadata.traces.claim, lease),
                    explain=lambda spec, text: reporter.tell(Notice(text, spec)),
                )
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
        except KeyboardInterrupt:
            with suppress(KeyboardInterrupt):
                executor.close()
                metadata.finish_run(lease, Status.CANCELLED)
            raise Interrupted("interrupted twice") from None
        except MetadataError as error:
            error.add_note(RESUMABLE)
            raise
        except STORE_FAILURES as error:
            error.add_note(RESUMABLE)
            with suppress(MetadataError):  # on one full disk neither can be written
                metadata.finish_run(lease, Status.FAILED)
            raise


def _kept(settings: Settings, origin: RunRecord | None) -> str:
    """Return the run that is resumed: nobody can delete it now, unless that has happened before."""
    if origin is None:
        return ""
    with closing(wiring.open_reader(settings)) as metadata:
        is_there = metadata.run(origin.flow, origin.run_id) is not None
    return f"{origin.flow}/{origin.run_id}" if is_there else ""


def caching_of(launch: Launch) -> CachePolicy:
    """Return which results a run reuses.

    Raises:
        UsageError: There is no such step, or a step ignores what nobody knows.
    """
    request = launch.request
    if request.cache == "off":
        return CachePolicy()
    return cache_policy(
        launch.flow,
        asked=request.cache,
        default=launch.settings.cache,
        refresh=request.cache_refresh,
        variable=environment_variable,
    )


def trace_cache(
    launch: Launch,
    policy: CachePolicy,
    reader: MetadataReader,
    store: ArtifactStore,
    **told: Any,
) -> "TraceCache":
    """Return what finds the results that a run may reuse.

    Args:
        launch: The run.
        policy: Which results it reuses.
        reader: Where traces and versions are.
        store: Where manifests are.
        told: What `TraceCache` needs of a driver.
    """
    from flowkit.client.externals import finds_elsewhere  # noqa: PLC0415 - only runs with caching
    from flowkit.runtime.labels import Labels  # noqa: PLC0415 - the same
    from flowkit.runtime.tracecache import TraceCache  # noqa: PLC0415 - the same

    flow = launch.flow
    return TraceCache(
        reader.traces,
        store,
        flow,
        policy=policy,
        main_module=main_module(flow),
        labels=Labels(flow, launch.graph, store, reader.versions) if flow.named else None,
        elsewhere=partial(finds_elsewhere, reader.versions),
        **told,
    )


# --- before a run ---------------------------------------------------------------------------------


@contextmanager
def opened_executor(launch: Launch) -> Iterator[Executor]:
    """Open the executor, first of all: the server it may fork must inherit no connection.

    What can be wrong with the request is found before that.
    """
    caching_of(launch)
    for tag in launch.request.tags:
        check_tag(tag)
    wiring.metadata_scheme(launch.settings)
    with closing(wiring.open_executor(launch.settings, launch.flow, launch.graph)) as executor:
        yield executor


def store_of(launch: Launch) -> ArtifactStore:
    """Open the content store of a run."""
    return wiring.open_probed_store(launch.settings, main_module(launch.flow))


def refuse_taken_versions(launch: Launch, values: Mapping[str, Any]) -> None:
    """Refuse a run that would publish a version that is there already, before it starts."""
    chosen = chosen_versions(launch.flow, values)
    if chosen:
        with closing(wiring.open_reader(launch.settings)) as metadata:
            refuse_taken(launch.flow, launch.graph, chosen, metadata.versions)


def values_of(launch: Launch, parameters: Mapping[str, Any]) -> dict[str, Any]:
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

    with extended(_current(launch)):
        return parameter_values(parameters, launch.request.parameters, context)


def _to_stderr(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def facts_of(launch: Launch, origin_run_id: str | None) -> RunFacts:
    """Return what tasks may know about their run."""
    settings = launch.settings
    return RunFacts(
        current=_current(launch),
        user=settings.user,
        tags=tuple(launch.request.tags),
        namespace=settings.namespace,
        tempdir=settings.tempdir,
        origin_run_id=origin_run_id,
    )


def _current(launch: Launch) -> dict[str, Any]:
    """Return the attributes of `current` that the flow's decorators add."""
    return {name: v for facts in _decorator_facts(launch) for name, v in facts.current.items()}


def _decorator_facts(launch: Launch) -> list[FlowFacts]:
    flow, user = launch.flow, launch.settings.user
    return [decorator.facts(flow.name, user) for decorator in flow.decorators]


def _new_run(launch: Launch, root: str, origin: RunRecord | None) -> NewRun:
    from flowkit import __version__  # noqa: PLC0415 - the facade imports lazily from here

    flow, settings = launch.flow, launch.settings
    version = sys.version.split()[0]
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
        pins=launch.pins,
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
        with open(path, "w", encoding="utf-8", opener=open_private) as file:
            file.write(text)
    except OSError as error:
        raise StorageError(f"can't write {path}: {error.strerror}") from None


@contextmanager
def interruptible(interrupt: Callable[[int], None]) -> Iterator[None]:
    """Turn SIGINT, SIGTERM and SIGHUP into an orderly end of the run.

    The next one is raised where the driver is: it may wait for tasks, or for a database.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    asked: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        asked.append(number)
        if len(asked) > 1:
            raise KeyboardInterrupt
        interrupt(number)

    signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, on_signal) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
