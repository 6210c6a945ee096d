"""The ``tag`` commands of a flow file: list, add, remove and replace the tags of a run."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import click

from flowkit.cli.context import FlowFile
from flowkit.exceptions import CommandException, NotFoundError

if TYPE_CHECKING:
    from flowkit.client import Flow, Run


@click.group()
def tag() -> None:
    """List and change the tags of runs."""


def _with_run(function: Callable[..., None]) -> Callable[..., None]:
    function = click.option("--namespace", metavar="NS", help="Look in this namespace only.")(
        function
    )
    return click.option("--run-id", metavar="ID", help="The run to change.")(function)


@tag.command("add")
@click.argument("tags", nargs=-1, required=True)
@_with_run
@click.pass_obj
def add(file: FlowFile, tags: tuple[str, ...], run_id: str | None, namespace: str | None) -> None:
    """Add tags to a run."""
    run = _run(file, run_id, namespace)
    run.add_tags(tags)
    _say_tags(run)


@tag.command("remove")
@click.argument("tags", nargs=-1, required=True)
@_with_run
@click.pass_obj
def remove(
    file: FlowFile, tags: tuple[str, ...], run_id: str | None, namespace: str | None
) -> None:
    """Remove tags from a run."""
    run = _run(file, run_id, namespace)
    run.remove_tags(tags)
    _say_tags(run)


@tag.command("replace")
@click.argument("old_and_new", nargs=-1, metavar="[OLD NEW]")
@click.option("--add", "added", multiple=True, help="Tag to add; may be repeated.")
@click.option("--remove", "removed", multiple=True, help="Tag to remove; may be repeated.")
@_with_run
@click.pass_obj
def replace(file: FlowFile, /, old_and_new: tuple[str, ...], **options: Any) -> None:
    """Replace one tag by another, or remove some and add others at once."""
    removed, added = list(options["removed"]), list(options["added"])
    if old_and_new:
        if len(old_and_new) != 2:  # noqa: PLR2004 - OLD and NEW
            raise click.UsageError("give OLD and NEW, or use --remove and --add")
        removed.append(old_and_new[0])
        added.append(old_and_new[1])
    if not removed or not added:
        raise click.UsageError("there must be a tag to remove and one to add")
    run = _run(file, options["run_id"], options["namespace"])
    run.replace_tags(removed, added)
    _say_tags(run)


@tag.command("list")
@click.argument("run_id", required=False)
@click.option("--all", "all_runs", is_flag=True, help="The tags of all runs.")
@click.option("--my-runs", is_flag=True, help="The tags of your own runs.")
@click.option("--hide-system-tags", is_flag=True, help="Leave out tags such as user:ada.")
@click.option("--group-by-tag", is_flag=True, help="Show the runs of each tag.")
@click.option("--group-by-run", is_flag=True, help="Show the tags of each run.")
@click.option("--flat", is_flag=True, help="One tag per line, nothing else.")
@click.pass_obj
def list_tags(file: FlowFile, /, run_id: str | None, **options: bool) -> None:
    """List tags: those of a run, your latest one by default, or of many runs."""
    runs = _runs(file, run_id, options)
    by_run = {run.id: _shown(run, hide_system=options["hide_system_tags"]) for run in runs}
    by_tag: dict[str, list[str]] = {}
    for name, tags in by_run.items():
        for each in tags:
            by_tag.setdefault(each, []).append(name)
    if options["group_by_run"]:
        for name, tags in by_run.items():
            click.echo(f"{file.flow.name}/{name}: {', '.join(tags)}")
    elif options["group_by_tag"]:
        for each in sorted(by_tag):
            click.echo(f"{each}: {', '.join(by_tag[each])}")
    else:
        if not options["flat"]:
            click.echo(f"Tags of {_titles(file, by_run)}:", err=True)
        for each in sorted(by_tag):
            click.echo(each)


def _runs(file: FlowFile, run_id: str | None, options: dict[str, bool]) -> "list[Run]":
    from flowkit.client import Flow, Run

    flow = Flow(file.flow.name, _namespace_check=False)
    if options["my_runs"]:
        return list(flow.runs(f"user:{file.settings.user}"))
    if options["all_runs"]:
        return list(flow.runs())
    if run_id is not None:
        return [Run(f"{file.flow.name}/{run_id}", _namespace_check=False)]
    latest = _latest(file, flow)
    if latest is None:
        raise NotFoundError(f"flow '{file.flow.name}' has no run in this namespace")
    return [latest]


def _latest(file: FlowFile, flow: "Flow") -> "Run | None":
    """Return the latest run in the user's namespace: on a shared store others have runs, too."""
    own = file.settings.namespace
    return next(flow.runs(own), None) if own else flow.latest_run


def _run(file: FlowFile, run_id: str | None, namespace: str | None) -> "Run":
    """Return the run to change; it has to be named."""
    from flowkit.client import Flow, Run

    flow = file.flow.name
    if run_id is None:
        latest = _latest(file, Flow(flow, _namespace_check=False))
        hint = f" The latest run is {latest.id}." if latest is not None else ""
        raise CommandException(f"Please specify a run-id using --run-id.{hint}")
    run = Run(f"{flow}/{run_id}", _namespace_check=False)
    if namespace and namespace not in run.tags:
        raise NotFoundError(f"run {flow}/{run_id} is not in the namespace '{namespace}'")
    return run


def _shown(run: "Run", *, hide_system: bool) -> list[str]:
    return sorted(run.user_tags if hide_system else run.tags)


def _titles(file: FlowFile, runs: Iterable[str]) -> str:
    names = list(runs)
    if len(names) == 1:
        return f"run {file.flow.name}/{names[0]}"
    return f"{len(names)} runs of {file.flow.name}"


def _say_tags(run: "Run") -> None:
    tags = ", ".join(sorted(run.user_tags)) or "none"
    click.echo(f"User tags of {run.pathspec}: {tags}", err=True)
