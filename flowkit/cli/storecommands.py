"""``flowkit store``: making a store, looking at it, checking it and bringing it up to date."""

import json
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from flowkit.model.findings import Finding

STYLES = {"ok": "green", "warning": "yellow", "error": "red"}


@click.group()
def store() -> None:
    """Look after the store: metadata and blobs as FLOWKIT_METADATA and FLOWKIT_DATASTORE say."""


@store.command()
@click.option(
    "--shared-group",
    is_flag=False,
    flag_value="",
    metavar="[GROUP]",
    help="Share the store's directory with a group of users of this machine: with GROUP, or with "
    "the group that the directory has. A store that is there already is shared as well; no run "
    "may be going on meanwhile.",
)
def init(shared_group: str | None) -> None:
    """Create the store; one that is there already stays as it is, but for being shared."""
    from flowkit import wiring
    from flowkit.config import load_settings
    from flowkit.ports.blobs import SupportsProbe

    settings = load_settings()
    blobs = wiring.open_blobs(settings)
    found = blobs.probe() if isinstance(blobs, SupportsProbe) else ""
    wiring.open_writer(settings).close()
    click.echo(f"metadata: {settings.metadata_location}")
    click.echo(f"blobs: {_blobs_location(settings.datastore, settings.home)}")
    if found:
        click.echo(f"service: {found}")
    if shared_group is not None:
        group = wiring.share_home(settings, shared_group)
        click.echo(f"shared: {settings.home} with group {group}")


@store.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
def info(as_json: bool) -> None:
    """Show where the store is and what it has."""
    from flowkit import wiring
    from flowkit.config import load_settings

    settings = load_settings()
    with closing(wiring.open_metadata_upkeep(settings)) as upkeep:
        found = upkeep.describe()
    facts = {
        "metadata": settings.metadata_location,
        "blobs": _blobs_location(settings.datastore, settings.home),
        "database": found.database,
        "schema": found.schema,
        "store": found.uuid,
        "created": _time(found.created_at),
        **found.counts,
    }
    if as_json:
        click.echo(json.dumps(facts, indent=2))
        return
    for name, value in facts.items():
        click.echo(f"{name}: {value}")
    if not found.schema:
        click.echo("there is no store yet: run 'flowkit store init', or a flow", err=True)


@store.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
@click.pass_context
def check(context: click.Context, as_json: bool) -> None:
    """Check that the store can be used and loses nothing; exit with the code of the worst error."""
    from flowkit import wiring
    from flowkit.config import load_settings
    from flowkit.exceptions import FlowkitError
    from flowkit.upkeep.health import check_blobs, check_metadata, failure

    settings = load_settings()
    with closing(wiring.open_metadata_upkeep(settings)) as upkeep:
        findings = list(check_metadata(upkeep))
    try:
        findings += check_blobs(wiring.open_blobs(settings))
    except FlowkitError as error:
        findings.append(failure("blobs", error))
    tell_findings(context, findings, as_json=as_json)


def tell_findings(context: click.Context, findings: Sequence["Finding"], *, as_json: bool) -> None:
    """Print findings and exit with the code of the first error."""
    if as_json:
        rows = [{"subject": f.subject, "state": f.state, "message": f.message} for f in findings]
        click.echo(json.dumps(rows, indent=2))
    else:
        for finding in findings:
            word = click.style(f"{finding.state:8}", fg=STYLES[finding.state])
            click.echo(f"{word}{finding.subject}: {finding.message}")
    context.exit(next((f.exit_code for f in findings if f.exit_code), 0))


@store.command()
def migrate() -> None:
    """Bring the metadata's schema up to date; older programs may not write it after that."""
    from flowkit import wiring
    from flowkit.config import load_settings

    settings = load_settings()
    with closing(wiring.open_metadata_upkeep(settings)) as upkeep:
        before = upkeep.describe().schema
        upkeep.migrate()
        after = upkeep.describe().schema
    change = f"is {after}" if before == after else f"went from {before} to {after}"
    click.echo(f"the schema of {settings.metadata_location} {change}")


def _blobs_location(datastore: str, home: str) -> str:
    return home if datastore == "local" else datastore


def _time(micros: int | None) -> str:
    if micros is None:
        return ""
    return datetime.fromtimestamp(micros / 1e6).astimezone().isoformat(" ", "seconds")
