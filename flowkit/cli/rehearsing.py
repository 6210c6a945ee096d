"""What a flow file's ``cache`` commands say: what a run would do, and whether results are right."""

from typing import Any

import click

from flowkit.authoring.flowspec import FlowSpec
from flowkit.cli.context import FlowFile
from flowkit.cli.running import RunCommand, request_of, with_cache_options, with_run_options


def cache_group(flow: type[FlowSpec]) -> click.Group:
    """Return the ``cache`` commands of a flow."""

    @click.group()
    def cache() -> None:
        """Look ahead of a run with caching."""

    @click.pass_obj
    def plan(file: FlowFile, /, **options: Any) -> None:
        """Say what a run with these options would take over and what it would run, and why."""
        _plan(file, options)

    decorated = with_run_options(with_cache_options(plan))
    cache.add_command(click.command("plan", RunCommand, flow=flow)(decorated))
    cache.add_command(verify)
    return cache


def _plan(file: FlowFile, options: dict[str, Any]) -> None:
    from dataclasses import replace

    from tabulate import tabulate

    from flowkit.rehearsal import plan_run

    request, settings = request_of(file, options)
    asked = True if request.cache is None else request.cache
    found = plan_run(file.flow, replace(request, cache=asked), settings)
    rows = [
        {
            "step": step.step,
            "cached": step.cached or "",
            "runs": f"{'' if step.is_certain else 'up to '}{step.runs}" if step.runs else "",
            "seconds": ""
            if not step.runs
            else "?"
            if step.seconds is None
            else f"{step.seconds:.1f}",
            "why": step.why,
        }
        for step in found.steps
    ]
    click.echo(tabulate(rows, headers="keys", disable_numparse=True))
    certain = sum(step.runs for step in found.steps if step.is_certain)
    perhaps = sum(step.runs for step in found.steps if not step.is_certain)
    more = f" and up to {perhaps} more" if perhaps else ""
    tasks = "task" if certain == 1 else "tasks"
    click.echo(f"{certain} {tasks} would run{more}: about {found.seconds:.1f} seconds of work")


@click.command()
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    default=5,
    show_default=True,
    help="How many results are computed again at most.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Which ones.")
@click.pass_context
def verify(context: click.Context, sample: int, seed: int) -> None:
    """Compute some reusable results again and compare; exit with 1 if one differs."""
    from flowkit.rehearsal import repeat_sample

    file: FlowFile = context.obj
    found = repeat_sample(file.flow, file.settings, sample, seed)
    for one in found:
        click.echo(f"{one.origin}: {one.problem or 'the same'}")
    same = sum(not one.problem for one in found)
    click.echo(f"{same} of {len(found)} results are the same when computed again")
    context.exit(0 if same == len(found) else 1)
