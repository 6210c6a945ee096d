"""Checking, running and resuming a flow as functions: what the command line and programs call."""

import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flowkit import wiring
from flowkit.authoring.flowdef import FlowDef
from flowkit.config import Settings
from flowkit.enums import Status
from flowkit.exceptions import ConflictError, LintError, NotFoundError, UsageError
from flowkit.flowmodule import main_module
from flowkit.graph.build import build_graph
from flowkit.graph.graph import Graph
from flowkit.graph.rules import check
from flowkit.graph.sources import Sources
from flowkit.launching import (
    Launch,
    Root,
    RunRequest,
    drive,
    facts_of,
    opened_executor,
    refuse_taken_versions,
    store_of,
    values_of,
)
from flowkit.model.events import RunEnded
from flowkit.model.pathspec import check_run_id
from flowkit.model.records import RunRecord
from flowkit.pinning import externals_of
from flowkit.ports.listener import Listener
from flowkit.ports.metadata import MetadataReader
from flowkit.runtime.reuse import NoReuse, OriginRun, steps_from
from flowkit.runtime.root import save_root

AWAIT_SECONDS = 0.5
"""Between two looks at a run that another process drives."""


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


def checked_graph(flow: FlowDef) -> Graph:
    """Build the flow's graph.

    Raises:
        LintError: The flow breaks rules; ``problems`` has all of them.
    """
    sources = Sources()
    graph = build_graph(flow, sources)
    problems = check(graph)
    if flow.named and not problems:  # the other problems are those of named artifacts
        from flowkit.graph.dataflow import Dataflow  # noqa: PLC0415 - few flows name artifacts

        problems = Dataflow(flow, graph, sources).problems()
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
        NotFoundError: An external artifact can't be found; the message has all of these.
        VersionExistsError: The flow declares a version that is there with other content.
        StorageError: The store can't be written; no task was started.
        Interrupted: The run was stopped by a signal; its state is CANCELLED.
    """
    launch = Launch(flow, checked_graph(flow), request, settings, listeners)
    values = values_of(launch, flow.parameters)
    with opened_executor(launch) as executor:
        store = store_of(launch)
        refuse_taken_versions(launch, values)
        found = externals_of(launch, store, values)
        facts = facts_of(launch, None)
        save = partial(save_root, store, flow, launch.graph, found.values, facts, found.refs)
        return drive(replace(launch, pins=found.pins), executor, Root(store, save), NoReuse())


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
    launch = Launch(flow, checked_graph(flow), request, settings, listeners, run_id)
    graph = launch.graph
    if resumption.step is not None and resumption.step not in graph:
        raise UsageError(
            f"invalid step name '{resumption.step}' specified, must be step present in current "
            f"form of execution graph. Valid step names include: {', '.join(graph.nodes)}"
        )
    with opened_executor(launch) as executor:
        store = store_of(launch)
        with closing(wiring.open_reader(settings)) as metadata:
            origin = _origin(metadata, flow.name, resumption.origin_run_id, settings.user)
            rerun = steps_from(graph, resumption.step) if resumption.step else frozenset()
            reuse = OriginRun(
                metadata, store, graph=graph, flow=flow.name, run_id=origin.run_id, rerun=rerun
            )
            pins = metadata.versions.pins(flow.name, origin.run_id)
        taken = store.get_manifest(origin.root).artifacts
        given = (*flow.parameters, *flow.externals)
        inherited = {name: taken[name] for name in given if name in taken}
        new = {name: p for name, p in flow.parameters.items() if name not in taken}
        facts = facts_of(launch, origin.run_id)
        found = externals_of(launch, store, values_of(launch, new), inherited, pins)
        save = partial(save_root, store, flow, graph, found.values, facts, found.refs)
        root, launch = Root(store, save), replace(launch, pins=found.pins)
        try:
            return drive(launch, executor, root, reuse, origin, clone_only=resumption.clone_only)
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
    with closing(wiring.open_reader(settings)) as metadata:
        origin = _origin(metadata, flow.name, origin_run_id, settings.user)
    store = wiring.open_store(settings, main_module(flow))
    taken = store.get_manifest(origin.root).artifacts
    configs = {name: store.load(taken[name]) for name in flow.configs if name in taken}
    return origin.run_id, configs


def _await_end(settings: Settings, flow: str, run_id: str) -> RunEnded:
    """Wait for the end of a run that another process drives."""
    pause = threading.Event()
    with closing(wiring.open_reader(settings)) as metadata:
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
