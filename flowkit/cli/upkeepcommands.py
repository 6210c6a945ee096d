"""``flowkit gc``, ``delete``, ``fsck`` and ``doctor``: keeping a store small and sound."""

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import click

from flowkit.cli.storecommands import tell_findings

if TYPE_CHECKING:
    from flowkit.config import Settings
    from flowkit.model.records import RunRecord
    from flowkit.ports.sweeping import Inventory
    from flowkit.upkeep.gc import Plan, Stores, Usage
    from flowkit.upkeep.retention import Retention

_THOUSAND = 1000
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw]?)")


class Duration(click.ParamType[float]):
    """A time span: a number of seconds, or one with a unit such as 12h, 30d or 2w."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds."""
        if isinstance(value, (int, float)):
            return float(value)
        found = _DURATION.fullmatch(value.strip())
        if found is None:
            self.fail(f"{value!r} is no time span: use one such as 45m, 12h or 30d", param, ctx)
        return float(found[1]) * _UNITS[found[2] or "s"]


def add_to(group: click.Group) -> None:
    """Add the commands to the ``flowkit`` command."""
    for command in (gc, delete, fsck, doctor):
        group.add_command(command)


# --- gc -------------------------------------------------------------------------------------------


@click.command()
@click.option("--force/--dry-run", default=False, help="Delete, or show what would be deleted.")
@click.option("--keep-last", type=click.IntRange(min=0), help="Keep so many runs of each flow.")
@click.option("--keep-tag", "keep_tags", multiple=True, help="Keep runs with this tag.")
@click.option("--older-than", type=Duration(), help="Only delete runs older than this, e.g. 30d.")
@click.option(
    "--grace",
    type=Duration(),
    default="24h",
    show_default=True,
    help="Keep what was written since, whoever needs it.",
)
@click.option(
    "--sole-metadata",
    is_flag=True,
    help="Say that no other metadata store refers to a datastore elsewhere.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def gc(force: bool, grace: float, sole_metadata: bool, as_json: bool, **rules: Any) -> None:
    """Delete what nothing needs; with --keep-last or --older-than also runs.

    Shows what would be deleted unless --force is given.
    """
    from flowkit.config import load_settings
    from flowkit.upkeep.retention import Retention

    settings = load_settings()
    retention = Retention(**rules)
    if force:
        _check_sole(settings, sole_metadata)
        _collect(settings, retention, grace, as_json)
    else:
        _preview(settings, retention, grace, as_json)


def _check_sole(settings: "Settings", sole_metadata: bool) -> None:
    """Blobs that others share must not be deleted by what one's own metadata says."""
    is_own = settings.metadata_url.startswith("sqlite:")
    if settings.datastore != "local" and is_own and not sole_metadata:
        raise click.UsageError(
            f"runs in other metadata stores may need what is in {settings.datastore}, and would "
            "lose it: if there are none, add --sole-metadata"
        )


def _preview(settings: "Settings", retention: "Retention", grace: float, as_json: bool) -> None:
    from dataclasses import replace

    from flowkit import wiring
    from flowkit.upkeep.gc import make_plan
    from flowkit.upkeep.liveness import Reach

    with closing(wiring.open_inventory(settings)) as inventory:
        runs, used = _expired(settings, inventory, retention)
        roots = inventory.roots()
    gone = {run.key for run in runs}
    roots = replace(roots, runs=[run for run in roots.runs if run.key not in gone])
    stores = _stores(settings)
    plan = make_plan(stores, Reach(stores.artifacts), roots, grace=grace)
    _print_plan(plan, runs, used, as_json=as_json, is_done=False)


def _collect(settings: "Settings", retention: "Retention", grace: float, as_json: bool) -> None:
    from flowkit import wiring
    from flowkit.upkeep.gc import Plan, collect

    with closing(wiring.open_collector(settings)) as collector:
        collector.begin()
        with closing(wiring.open_inventory(settings)) as inventory:
            runs, used = _expired(settings, inventory, retention)
        _remove(settings, [(run.flow, run.run_id) for run in runs], force=False)
        plan: Plan | None = None
        for event in collect(collector, _stores(settings), grace=grace):
            plan = event if isinstance(event, Plan) else plan
    if plan is not None:
        _print_plan(plan, runs, used, as_json=as_json, is_done=True)


def _expired(
    settings: "Settings", inventory: "Inventory", retention: "Retention"
) -> "tuple[list[RunRecord], dict[str, Sequence[str]]]":
    import time

    from flowkit import wiring
    from flowkit.upkeep.retention import split_by_use

    with closing(wiring.open_reader(settings)) as metadata:
        expired = list(retention.expired(metadata, time.time_ns() // 1000))
    return split_by_use(inventory, expired)


def _stores(settings: "Settings") -> "Stores":
    from flowkit import wiring
    from flowkit.upkeep.gc import Stores

    return Stores(wiring.open_blobs(settings), wiring.open_store(settings))


def _print_plan(
    plan: "Plan",
    runs: "Sequence[RunRecord]",
    used: dict[str, Sequence[str]],
    *,
    as_json: bool,
    is_done: bool,
) -> None:
    from tabulate import tabulate

    parts = [
        *(("needed by " + flow, usage) for flow, usage in plan.flows.items()),
        ("needed by versions of artifacts", plan.versions),
        ("needed by nobody, but young", plan.young),
        ("deleted" if is_done else "to be deleted", plan.freed),
        ("left by killed writers", plan.leftovers),
        ("in all", plan.total),
    ]
    names = [f"{run.flow}/{run.run_id}" for run in runs]
    if as_json:
        facts = {
            "is_done": is_done,
            "flows": {flow: _as_dict(usage) for flow, usage in plan.flows.items()},
            "versions": _as_dict(plan.versions),
            "young": _as_dict(plan.young),
            "deleted": _as_dict(plan.freed),
            "leftovers": _as_dict(plan.leftovers),
            "total": _as_dict(plan.total),
            "digests": sorted(plan.garbage),
            "runs": names,
            "kept": {run: list(users) for run, users in used.items()},
        }
        click.echo(json.dumps(facts, indent=2))
        return
    rows = [(name, usage.blobs, readable(usage.bytes)) for name, usage in parts]
    click.echo(tabulate(rows, headers=("", "blobs", "size"), disable_numparse=False))
    if names:
        click.echo(f"{'deleted' if is_done else 'to be deleted'}: {len(names)} runs")
    for name in names:
        click.echo(f"  {name}")
    for run, users in used.items():
        click.echo(f"kept {run}: {', '.join(users[:3])}", err=True)
    if not is_done and (plan.garbage or names):
        click.echo("nothing was deleted: add --force to do it", err=True)


def _as_dict(usage: "Usage") -> dict[str, int]:
    return {"blobs": usage.blobs, "bytes": usage.bytes}


def readable(size: float) -> str:
    """Return a number of bytes as people read it."""
    units = ["B", "kB", "MB", "GB", "TB"]
    while size >= _THOUSAND and len(units) > 1:
        size /= _THOUSAND
        del units[0]
    return f"{size:.0f} {units[0]}" if units[0] == "B" else f"{size:.1f} {units[0]}"


# --- delete ---------------------------------------------------------------------------------------


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="FLOW/RUN...")
@click.option("--force", is_flag=True, help="Also when something refers to the run.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def delete(runs: tuple[str, ...], force: bool, yes: bool) -> None:
    """Delete runs; 'flowkit gc' frees what they needed."""
    from flowkit.config import load_settings
    from flowkit.model.pathspec import parse_pathspec

    places = []
    for pathspec in runs:
        address = parse_pathspec(pathspec, 2)
        places.append((address.flow, str(address.run)))
    if not yes:
        click.confirm(f"Delete {', '.join(runs)}?", abort=True, err=True)
    _remove(load_settings(), places, force=force)
    click.echo(f"deleted: {', '.join(runs)}")


def _remove(settings: "Settings", runs: Sequence[tuple[str, str]], *, force: bool) -> None:
    from flowkit import wiring

    if not runs:
        return
    logs = wiring.run_logs(settings, wiring.open_store(settings))
    with closing(wiring.open_run_remover(settings)) as remover:
        for flow, run_id in runs:
            token = remover.remove(flow, run_id, settings.user, force=force)
            logs.delete(token)


# --- fsck and doctor ------------------------------------------------------------------------------


@click.command()
@click.option("--data", is_flag=True, help="Read every blob and compare it with its digest.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
@click.pass_context
def fsck(context: click.Context, data: bool, as_json: bool) -> None:
    """Check that all that the metadata refers to is there and intact; exit with 5 if not.

    Damaged blobs are moved to the quarantine, so that the next run can write them again.
    """
    from flowkit import wiring
    from flowkit.config import load_settings
    from flowkit.upkeep.fsck import Check

    settings = load_settings()
    with closing(wiring.open_inventory(settings)) as inventory:
        roots = inventory.roots()
    stores = _stores(settings)
    defects = list(Check(stores.blobs, stores.artifacts, roots).run(with_data=data))
    damages = [defect for defect in defects if defect.is_damage]
    orphans = len(defects) - len(damages)
    if as_json:
        rows = [
            {"kind": d.kind, "digest": d.digest, "needed_by": d.needed_by, "message": d.message}
            for d in defects
        ]
        click.echo(json.dumps(rows, indent=2))
    else:
        for defect in damages:
            owners = f" (needed by {', '.join(defect.needed_by)})" if defect.needed_by else ""
            click.secho(f"{defect.kind} {defect.digest}{owners}: {defect.message}", fg="red")
        if orphans:
            click.echo(f"{orphans} blobs are needed by nobody: 'flowkit gc' deletes them")
        what = "content" if data else "presence"
        runs = f"{len(roots.runs)} runs and {len(roots.versions)} versions"
        click.echo(f"{len(damages)} damages; the {what} of all that {runs} need was checked")
    context.exit(5 if damages else 0)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of lines.")
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Look for what may be wrong here; exit with the code of the first error. Changes nothing."""
    from flowkit.config import load_settings

    tell_findings(context, list(_examined(load_settings())), as_json=as_json)


def _examined(settings: "Settings") -> Iterator[Any]:
    from flowkit import wiring
    from flowkit.upkeep import doctor as examination

    # Before anything is opened: nothing may be inherited over a fork.
    yield examination.check_fork()
    yield examination.check_packages()
    yield from examination.guarded("store", examination.check_paths(settings.home))
    yield examination.check_clock(settings.home)
    with closing(wiring.open_metadata_upkeep(settings)) as upkeep:
        yield from examination.guarded("metadata", upkeep.look())
