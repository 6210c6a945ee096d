"""``flowkit cache``: results that may be reused, why steps ran, and forgetting results."""

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime

import click

from flowkit.model.pathspec import parse_pathspec
from flowkit.model.traces import Trace

_COMPARED = 200


@click.group()
def cache() -> None:
    """Look at the results that runs with caching may reuse."""


@cache.command("ls")
@click.argument("flow", required=False)
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True)
def list_results(flow: str | None, limit: int) -> None:
    """List results that may be reused, of all flows or of one, newest first."""
    from tabulate import tabulate

    from flowkit.client.session import current_session

    found = current_session().metadata.traces.recent(flow, limit=limit)
    if not found:
        click.echo("no results are kept for reuse", err=True)
        return
    rows = [
        {
            "task": trace.origin,
            "created": _time(trace.created_at),
            "reads": len(trace.reads),
            "reusable": f"no: {trace.hazards[0]}" if trace.hazards else "yes",
        }
        for trace in found
    ]
    click.echo(tabulate(rows, headers="keys", disable_numparse=True))


@cache.command()
@click.argument("step")
def explain(step: str) -> None:
    """Say why the tasks of STEP (Flow/run/step) ran, or where their results came from."""
    from flowkit.client import Step
    from flowkit.client.session import current_session
    from flowkit.runtime.causes import compare_traces

    traces = current_session().metadata.traces
    address = parse_pathspec(step, 3)
    for task in Step(step, _namespace_check=False):
        if task.origin_pathspec:
            click.echo(f"{task.pathspec}: taken over from {task.origin_pathspec}")
            continue
        trace = traces.of_task(task.pathspec)
        if trace is None:
            click.echo(f"{task.pathspec}: ran without caching, or its result was replaced since")
            continue
        others = traces.recent(address.flow, address.step, limit=_COMPARED)
        earlier = _before(trace, others)
        text = compare_traces(trace, earlier).text or "ran as there was no earlier result"
        click.echo(f"{task.pathspec}: {text}")
        for hazard in trace.hazards:
            click.echo(f"    can't be reused, as the step looks at {hazard}")


@cache.command("rm")
@click.argument("flow")
@click.argument("step", required=False)
def remove(flow: str, step: str | None) -> None:
    """Forget the results of FLOW, or of one STEP; runs and their data stay."""
    from flowkit import wiring
    from flowkit.config import load_settings

    with closing(wiring.open_writer(load_settings())) as writer:
        count = writer.traces.delete(flow, step)
    click.echo(f"forgot {count} results")


@cache.command()
@click.argument("flow", required=False)
@click.pass_context
def verify(context: click.Context, flow: str | None) -> None:
    """Read the data of all results; exit with 1 if some are missing or damaged."""
    from flowkit.client.session import current_session
    from flowkit.exceptions import BlobMissing, IntegrityError

    session = current_session()
    lost = 0
    found = session.metadata.traces.recent(flow, limit=2**31)
    for trace in found:
        try:
            manifest = session.store.get_manifest(trace.manifest)
            for name in manifest.written:
                session.store.payload(manifest.artifacts[name])
        except (BlobMissing, IntegrityError) as error:
            lost += 1
            click.echo(f"{trace.origin}: {error}")
    click.echo(f"{len(found) - lost} of {len(found)} results are whole")
    context.exit(1 if lost else 0)


def _before(trace: Trace, others: Sequence[Trace]) -> list[Trace]:
    return [one for one in others if one.created_at < trace.created_at]


def _time(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6).astimezone().strftime("%Y-%m-%d %H:%M:%S")
