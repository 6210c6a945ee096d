"""Checking and running a flow as functions: what the command line and programs call."""

import json
import os
import platform
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from types import FrameType
from typing import Any

from flowkit import wiring
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.parameters import ParameterContext, parameter_values
from flowkit.config import Settings
from flowkit.content.runlog import RunLogWriter
from flowkit.content.store import ArtifactStore
from flowkit.exceptions import LintError, StorageError, UsageError
from flowkit.graph.build import build_graph
from flowkit.graph.describe import graph_info
from flowkit.graph.graph import Graph
from flowkit.graph.rules import check
from flowkit.model.events import RunEnded, RunStarted
from flowkit.model.manifest import Manifest
from flowkit.model.pathspec import check_tag
from flowkit.model.records import NewRun, RunLease
from flowkit.ports.listener import Listener
from flowkit.runtime.policies import retry_delay, scheduler_policy, step_needs
from flowkit.runtime.reporting import Reporter
from flowkit.runtime.runner import Policy, Runner
from flowkit.runtime.scheduler import Scheduler
from flowkit.runtime.worker import GRAPH_INFO, RUN_INFO


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
    """

    parameters: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    max_workers: int = 16
    max_num_splits: int = 100
    max_log_size: float = 10
    run_id_file: str | None = None
    attribute_file: str | None = None


def checked_graph(flow: FlowDef) -> Graph:
    """Build the flow's graph.

    Raises:
        LintError: The flow breaks rules; ``problems`` has all of them.
    """
    graph = build_graph(flow)
    problems = check(graph)
    if problems:
        raise LintError(f"flow '{flow.name}' has {len(problems)} problem(s)", problems)
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
        StorageError: The store can't be written; no task was started.
        Interrupted: The run was stopped by a signal; its state is CANCELLED.
    """
    graph = checked_graph(flow)
    attempts = scheduler_policy(flow, graph, request.max_num_splits)
    for tag in request.tags:
        check_tag(tag)
    values = parameter_values(
        flow.parameters, request.parameters, _parameter_context(flow, settings)
    )
    # First of all: the executor may fork a server, which must inherit no connection and no thread.
    executor = wiring.open_executor(settings, flow, graph)
    try:
        store = wiring.open_store(settings, wiring.main_module(flow))
        root = _save_root(store, flow, graph, values, request, settings)
        metadata = wiring.open_writer(settings)
        try:
            lease = metadata.create_run(_new_run(flow, graph, root, request, settings))
            _announce(lease, request, settings)
            log = RunLogWriter(wiring.log_path(settings, lease.token))
            reporter = Reporter(log, listeners, request.max_log_size)
            reporter.tell(RunStarted(flow.name, lease.run_id, values))
            runner = Runner(
                lease,
                Scheduler(graph, flow=flow.name, run_id=lease.run_id, root=root, policy=attempts),
                metadata=metadata,
                executor=executor,
                reporter=reporter,
                policy=Policy(
                    max_workers=request.max_workers,
                    needs=step_needs(flow),
                    retry_delay=partial(retry_delay, flow),
                ),
            )
            with _interruptible(runner.interrupt):
                return runner.run()
        finally:
            metadata.close()
    finally:
        executor.close()


def _to_stderr(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def _parameter_context(flow: FlowDef, settings: Settings) -> Callable[[str], ParameterContext]:
    return lambda name: ParameterContext(
        flow_name=flow.name,
        user_name=settings.user,
        parameter_name=name,
        logger=_to_stderr,
        ds_type=settings.datastore.partition("://")[0],
    )


def _save_root(
    store: ArtifactStore,
    flow: FlowDef,
    graph: Graph,
    values: Mapping[str, Any],
    request: RunRequest,
    settings: Settings,
) -> str:
    """Store parameters, constants and facts about the run as the artifacts that every task has."""
    public = {**flow.constants, **values, "name": flow.name}
    internal = {
        GRAPH_INFO: graph_info(flow, graph),
        RUN_INFO: {
            "user": settings.user,
            "tags": sorted(request.tags),
            "namespace": settings.namespace,
            "tempdir": settings.tempdir,
            "origin_run_id": None,
        },
    }
    saved = store.save({**public, **internal})
    for error in saved.failures.values():
        raise error
    return store.put_manifest(Manifest(artifacts=saved.refs, written=tuple(public)))


def _new_run(
    flow: FlowDef, graph: Graph, root: str, request: RunRequest, settings: Settings
) -> NewRun:
    from flowkit import __version__  # noqa: PLC0415 - computed when asked for

    version = platform.python_version()
    return NewRun(
        flow=flow.name,
        user=settings.user,
        root=root,
        tags=sorted(set(request.tags)),
        system_tags=(
            f"user:{settings.user}",
            "runtime:dev",
            f"python_version:{version}",
            f"flowkit_version:{__version__}",
        ),
        info={
            "file": os.path.abspath(flow.file) if flow.file else "",
            "start_step": graph.start,
            "end_step": graph.end,
            "python_version": version,
            "flowkit_version": __version__,
            "datastore": settings.datastore,
        },
    )


def _announce(lease: RunLease, request: RunRequest, settings: Settings) -> None:
    """Write the run's id where the user asked for it, before any task starts."""
    if request.run_id_file:
        _write_text(request.run_id_file, lease.run_id)
    if request.attribute_file:
        facts = {
            "run_id": lease.run_id,
            "flow_name": lease.flow,
            "metadata": settings.metadata_url,
        }
        _write_text(request.attribute_file, json.dumps(facts))


def _write_text(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise StorageError(f"can't write {path}: {error.strerror}") from None


def check_writable(path: str | None) -> None:
    """Raise `UsageError` when a file that is to be written later has no directory to be in."""
    if path and not os.path.isdir(os.path.dirname(os.path.abspath(path))):
        raise UsageError(f"{path}: there is no such directory")


@contextmanager
def _interruptible(interrupt: Callable[[int], None]) -> Iterator[None]:
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
