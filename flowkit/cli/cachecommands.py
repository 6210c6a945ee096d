"""``flowkit cache``: results that may be reused, why steps ran, and forgetting results."""

from contextlib import closing
from datetime import datetime

import click

from flowkit.model.pathspec import parse_pathspec


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
    from flowkit.runtime.explaining import Explainer

    metadata = current_session().metadata
    explainer = Explainer(metadata)
    flow, run_id, _ = parse_pathspec(step, 3).parts
    for task in Step(step, _namespace_check=False):
        if task.origin_pathspec:
            click.echo(f"{task.pathspec}: taken over from {task.origin_pathspec}")
            continue
        trace = metadata.traces.of_task(task.pathspec)
        record = metadata.task(flow, run_id, int(task.id))
        if trace is None or record is None:
            click.echo(f"{task.pathspec}: ran without caching, or its result was replaced since")
            continue
        text = explainer.cause(record, trace).text or "ran as there was no earlier result"
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


@cache.command(context_settings={"ignore_unknown_options": True})
@click.argument("flow")
@click.argument("options", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def plan(context: click.Context, flow: str, options: tuple[str, ...]) -> None:
    """Say what a run of FLOW would take over and what it would run, and why.

    FLOW is a flow file, or a flow whose latest run tells the file; OPTIONS are those of a run.
    """
    context.exit(_in_file(flow, "plan", *options))


@cache.command()
@click.argument("flow", required=False)
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    help="Also compute so many results of FLOW again, a name or a file, and compare.",
)
@click.pass_context
def verify(context: click.Context, flow: str | None, sample: int | None) -> None:
    """Read the data of all results; exit with 1 if some are missing or damaged."""
    if sample is not None:
        if flow is None:
            raise click.UsageError("--sample: say of which FLOW")
        context.exit(_in_file(flow, "verify", "--sample", str(sample)))
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


def _in_file(flow: str, *arguments: str) -> int:
    """Run a cache command of a flow file: only its own process can load the flow's code."""
    import subprocess
    import sys

    file = flow if flow.endswith(".py") else _file_of(flow)
    command = [sys.executable, file, "--quiet", "cache", *arguments]
    return subprocess.run(command, check=False).returncode  # noqa: S603 - the user's own flow


def _file_of(flow: str) -> str:
    """Return the file of a flow's latest run."""
    from flowkit.client.session import current_session
    from flowkit.exceptions import NotFoundError

    newest = next(iter(current_session().metadata.runs(flow, limit=1)), None)
    file = "" if newest is None else str(newest.info.get("file") or "")
    if not file:
        raise NotFoundError(f"no run of flow '{flow}' tells its file: name the file itself")
    return file


def _time(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6).astimezone().strftime("%Y-%m-%d %H:%M:%S")
