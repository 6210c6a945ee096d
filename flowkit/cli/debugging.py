"""The command that opens a prompt inside an earlier task: ``debug``."""

import code
from typing import TYPE_CHECKING, Any

import click

from flowkit.exceptions import InvalidPathspecError, NotFoundError

if TYPE_CHECKING:
    from flowkit.client.session import Session
    from flowkit.model.records import RunRecord
    from flowkit.runtime.worker import OpenTask

_TASK_PARTS = 4


@click.command()
@click.argument("pathspec", metavar="FLOW/RUN/STEP/TASK")
@click.option(
    "--file",
    type=click.Path(exists=True, dir_okay=False),
    help="The flow file; the one that the run was started with by default.",
)
def debug(pathspec: str, file: str | None) -> None:
    """Open a Python prompt inside an earlier task.

    There, self is as the task found it, inputs are those of a join, and the names of the flow
    file can be used. What is assigned is not stored.
    """
    from flowkit.authoring.current import current, entered

    names, task = _opened(pathspec, file)
    names.update(self=task.flow, current=current)
    given = "self"
    if task.inputs is not None:
        names["inputs"] = task.inputs
        given = "self and inputs"
    with entered(task.context):
        code.interact(
            banner=f"Task {pathspec} at its beginning: {given} can be read. End with Ctrl-D.",
            local=names,
            exitmsg="",
        )


def _opened(pathspec: str, file: str | None) -> "tuple[dict[str, Any], OpenTask]":
    """Return the names of the flow file, and the task as it was when it began."""
    import sys

    from flowkit import wiring
    from flowkit.authoring.flowspec import declaration, definition
    from flowkit.client.lookup import find_task
    from flowkit.client.session import current_session
    from flowkit.config import load_settings
    from flowkit.flowmodule import load_class, module_name
    from flowkit.graph.build import build_graph
    from flowkit.model.pathspec import parse_pathspec
    from flowkit.runtime.recorded import recorded_spec
    from flowkit.runtime.worker import Worker

    address = parse_pathspec(pathspec, _TASK_PARTS)
    session = current_session()
    run = session.metadata.run(address.flow, str(address.run))
    task = run and find_task(session.metadata, run, str(address.step), int(address.task or 0))
    if run is None or not task:
        raise NotFoundError(f"task '{pathspec}' does not exist")
    path = file or _file(run)
    module = module_name(str(run.info.get("file") or path))  # as artifacts know it
    cls = load_class(path, address.flow, module)
    flow = definition(cls, _configs(session, run, declaration(cls).configs))
    graph = build_graph(flow)
    if task.step not in graph:
        raise InvalidPathspecError(f"step '{task.step}' is not in {path}")
    store = wiring.open_store(load_settings(), module)
    spec = recorded_spec(session.metadata, graph, run, task)
    return dict(vars(sys.modules[module])), Worker(flow, graph, store).open(spec)


def _file(run: "RunRecord") -> str:
    import os

    path = str(run.info.get("file", ""))
    if not os.path.isfile(path):
        raise NotFoundError(
            f"the flow file of run {run.flow}/{run.run_id} is not there ({path or 'unknown'}): "
            "say with --file where it is"
        )
    return path


def _configs(session: "Session", run: "RunRecord", names: Any) -> dict[str, Any]:
    taken = session.store.get_manifest(run.root).artifacts
    return {name: session.store.load(taken[name]) for name in names if name in taken}
