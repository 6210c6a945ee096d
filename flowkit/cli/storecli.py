"""The ``flowkit`` command: what is in the store, across flows."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import click

from flowkit import __version__
from flowkit.cli.artifactcommands import artifact
from flowkit.cli.cachecommands import cache
from flowkit.cli.debugging import debug
from flowkit.cli.objects import logs, show
from flowkit.cli.storecommands import store
from flowkit.cli.transfercommands import copy, export, import_
from flowkit.cli.upkeepcommands import add_to as add_upkeep


@click.group(context_settings={"auto_envvar_prefix": "FLOWKIT", "max_content_width": 100})
@click.version_option(__version__, prog_name="flowkit")
def group() -> None:
    """Look at the flows, runs and artifacts of a store."""


group.add_command(store)
store.add_command(copy)
group.add_command(export)
group.add_command(import_)
add_upkeep(group)


group.add_command(show)
group.add_command(logs)
group.add_command(debug)
group.add_command(cache)
group.add_command(artifact)


@group.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def flows(as_json: bool) -> None:
    """List the flows."""
    from flowkit.client.session import current_session

    records = current_session().metadata.flows()
    rows = [
        {"flow": entry.name, "runs": entry.runs, "latest": entry.last_run_id or ""}
        for entry in records
    ]
    _print_rows(rows, as_json, "no flow has run in this store yet")


@group.command()
@click.argument("flow", required=False)
@click.option(
    "--limit",
    type=click.IntRange(min=1),
    default=20,
    show_default=True,
    help="How many runs at most, newest first.",
)
@click.option("--tag", "tags", multiple=True, help="Only runs with this tag; may be repeated.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def runs(flow: str | None, limit: int, tags: tuple[str, ...], as_json: bool) -> None:
    """List the runs, of all flows or of one."""
    from flowkit.client import Flow
    from flowkit.client.session import current_session

    if flow is not None:
        Flow(flow, _namespace_check=False)  # says so when there is none
    records = current_session().metadata.runs(flow, tags=tags, limit=limit)
    rows = [
        {
            "run": f"{record.flow}/{record.run_id}",
            "status": record.status.value,
            "user": record.user,
            "created": _time(record.created_at),
            "seconds": _seconds(record.created_at, record.finished_at),
            "tags": ", ".join(record.tags),
        }
        for record in records
    ]
    _print_rows(rows, as_json, "no runs found")


def _print_rows(rows: Sequence[dict[str, Any]], as_json: bool, nothing: str) -> None:
    from tabulate import tabulate

    if as_json:
        click.echo(json.dumps(rows, indent=2))
    elif rows:
        click.echo(tabulate(rows, headers="keys", disable_numparse=True))
    else:
        click.echo(nothing, err=True)


def _time(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6).astimezone().strftime("%Y-%m-%d %H:%M:%S")


def _seconds(start: int, end: int | None) -> str:
    return "" if end is None else f"{(end - start) / 1e6:.1f}"
