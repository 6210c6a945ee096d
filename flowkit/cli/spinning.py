"""The command that runs one step again: ``spin``."""

import runpy
from collections.abc import Mapping
from typing import Any

import click

from flowkit.cli.context import FlowFile
from flowkit.enums import Status
from flowkit.model.events import RunEnded, RunEvent, RunStarted, TaskQueued
from flowkit.model.manifest import Transition

_SHOWN = 1000
"""Bytes up to which an artifact's value is shown."""


@click.command()
@click.argument("path", metavar="STEP|RUN/STEP|RUN/STEP/TASK")
@click.option("--skip-decorators/--no-skip-decorators", default=False, help="Call the bare step.")
@click.option(
    "--artifacts-module",
    type=click.Path(exists=True, dir_okay=False),
    help="Python file whose dict ARTIFACTS replaces recorded values.",
)
@click.option("--persist/--no-persist", default=False, help="Keep the task, in a run of its own.")
@click.option(
    "--max-num-splits",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="How many branches a foreach may have.",
)
@click.option(
    "--max-log-size",
    type=click.IntRange(min=1),
    default=10,
    show_default=True,
    help="Megabytes of log kept of each stream.",
)
@click.option(
    "--run-id-file",
    type=click.Path(dir_okay=False, writable=True),
    help="Write the run id to this file before the task starts.",
)
@click.option(
    "--runner-attribute-file",
    type=click.Path(dir_okay=False, writable=True),
    help="Write run id, flow, step and task to this file as JSON.",
)
@click.pass_obj
def spin(file: FlowFile, /, artifacts_module: str | None, **options: Any) -> None:
    """Run one step again, as it is now, on the inputs of an earlier task."""
    from flowkit.spinning import SpinRequest
    from flowkit.spinning import spin as spin_step

    artifacts = _artifacts(artifacts_module) if artifacts_module else {}
    attribute_file = options.pop("runner_attribute_file")
    request = SpinRequest(**options, artifacts=artifacts, attribute_file=attribute_file)
    file.validate()
    spun = spin_step(file.flow, request, file.settings, [_listener()])
    if spun.ended.status is not Status.SUCCEEDED:
        raise click.exceptions.Exit(spun.ended.error.exit_code if spun.ended.error else 1)
    file.say(f"Ran with the inputs of {spun.origin}")
    _show(file, spun.artifacts)
    click.echo(_way(spun.result.next))
    if spun.pathspec is not None:
        click.echo(f"Kept as {spun.pathspec}")


def _artifacts(path: str) -> Mapping[str | int, Any]:
    found = runpy.run_path(path).get("ARTIFACTS")
    if not isinstance(found, Mapping):
        raise click.UsageError(f"{path} has no dict ARTIFACTS")
    return found


def _listener() -> Any:
    from flowkit.cli.console import Console

    console = Console()

    def listener(event: RunEvent) -> None:
        # What is said about runs and foreaches does not hold for one task, but how it failed does.
        is_success = isinstance(event, RunEnded) and event.status is Status.SUCCEEDED
        if not is_success and not isinstance(event, RunStarted | TaskQueued):
            console(event)

    return listener


def _show(file: FlowFile, artifacts: Mapping[str, Any]) -> None:
    from flowkit import wiring
    from flowkit.flowmodule import main_module

    store = wiring.open_store(file.settings, main_module(file.flow))
    for name, ref in artifacts.items():
        value = f" = {store.load(ref)!r}" if ref.size <= _SHOWN else ""
        click.echo(f"{name} [size: {ref.size} type: <class '{ref.type}'>]{value}")


def _way(taken: Transition | None) -> str:
    if taken is None:
        return "=> the flow ends here"
    names = ", ".join(taken.targets)
    return f"=> {names}" if taken.items is None else f"=> {names} ({len(taken.items)} tasks)"
