"""``flowkit store copy``, ``export`` and ``import``: moving runs between stores."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

import click

from flowkit.cli.upkeepcommands import readable

if TYPE_CHECKING:
    from flowkit.config import Settings
    from flowkit.model.transfer import Clash, RunName
    from flowkit.upkeep.storesides import StoreOrigin, StoreTarget
    from flowkit.upkeep.transfer import Copied, Left, Origin, Step, Target

_QUIET = click.option("--quiet", is_flag=True, help="Print only what went wrong.")
_RENUMBER = click.option(
    "--renumber",
    is_flag=True,
    help="Give a run or a version whose number is taken there the next free one.",
)


@click.command()
@click.argument("src")
@click.argument("dst")
@click.option("--flow", help="Only runs of this flow.")
@click.option("--run", "run_id", help="Only this run: FLOW/ID, or an id with --flow.")
@_RENUMBER
@_QUIET
@click.pass_context
def copy(
    context: click.Context,
    /,
    src: str,
    dst: str,
    renumber: bool,
    quiet: bool,
    **which: str | None,
) -> None:
    """Copy runs with all that they need from one store to another.

    SRC and DST each name a store: a directory that holds .flowkit, @NAME for what a profile of the
    settings files says, or a metadata URL, which a comma and a datastore may follow. May be
    repeated: what is there already is left as it is.
    """
    from flowkit.config import store_settings

    given, taking = store_settings(src), store_settings(dst)
    with ExitStack() as opened:
        names = _names(given, **which)
        origin = opened.enter_context(_origin(given))
        target = opened.enter_context(_target(taking, _clash(renumber)))
        _check_free(target, names, renumber)
        context.exit(_copy(origin, target, names, quiet))


@click.command("export")
@click.argument("run", metavar="FLOW/RUN")
@click.argument("file", type=click.Path(dir_okay=False))
@click.option("--force", is_flag=True, help="Replace the file if there is one.")
@_QUIET
@click.pass_context
def export(context: click.Context, run: str, file: str, force: bool, quiet: bool) -> None:
    """Write a run with all that it needs to one file."""
    from flowkit.config import load_settings
    from flowkit.exceptions import ConflictError
    from flowkit.upkeep.archivesides import ArchiveTarget

    if os.path.exists(file) and not force:
        raise ConflictError(f"{file} exists already: add --force to replace it")
    settings = load_settings()
    names = _names(settings, run_id=run)
    with _origin(settings) as origin:
        context.exit(_copy(origin, ArchiveTarget(file), names, quiet))


@click.command("import")
@click.argument("file", type=click.Path())
@_RENUMBER
@_QUIET
@click.pass_context
def import_(context: click.Context, file: str, renumber: bool, quiet: bool) -> None:
    """Take the run in that 'flowkit export' wrote to a file."""
    from flowkit import wiring
    from flowkit.config import load_settings
    from flowkit.upkeep.archive import Archive
    from flowkit.upkeep.archivesides import ArchiveOrigin
    from flowkit.upkeep.rowcheck import check_rows

    with closing(Archive(file)) as archive:
        # The run's own name is among what is checked.
        check_rows(archive.index.rows)
        names = [archive.index.rows.name]
        origin = ArchiveOrigin(archive, wiring.store_on(archive))
        with _target(load_settings(), _clash(renumber)) as target:
            _check_free(target, names, renumber)
            context.exit(_copy(origin, target, names, quiet))


def _clash(renumber: bool) -> "Clash":
    from flowkit.model.transfer import Clash

    return Clash.RENUMBER if renumber else Clash.REFUSE


@contextmanager
def _origin(settings: "Settings") -> "Iterator[StoreOrigin]":
    from flowkit import wiring
    from flowkit.upkeep.storesides import StoreOrigin

    blobs = wiring.open_blobs(settings)
    store = wiring.store_on(blobs)
    logs = wiring.run_logs(settings, store)
    with closing(wiring.open_run_source(settings)) as source:
        yield StoreOrigin(source, blobs, store, logs)


@contextmanager
def _target(settings: "Settings", clash: "Clash") -> "Iterator[StoreTarget]":
    from flowkit import wiring
    from flowkit.upkeep.storesides import StoreTarget

    blobs = wiring.open_blobs(settings)
    store = wiring.store_on(blobs)
    logs = wiring.run_logs(settings, store)
    with closing(wiring.open_run_sink(settings)) as sink:
        yield StoreTarget(sink, blobs, store, logs, clash)


def _names(
    settings: "Settings", flow: str | None = None, run_id: str | None = None
) -> "Sequence[RunName]":
    """Return the runs that are meant; without an id all, but for those that go on."""
    from flowkit import wiring
    from flowkit.exceptions import NotFoundError
    from flowkit.model.pathspec import parse_pathspec
    from flowkit.model.transfer import RunName
    from flowkit.upkeep.storesides import is_live, listed

    with closing(wiring.open_reader(settings)) as metadata:
        if run_id is not None:
            full = run_id if flow is None or "/" in run_id else f"{flow}/{run_id}"
            address = parse_pathspec(full, 2)
            run = metadata.run(address.flow, str(address.run))
            if run is None:
                raise NotFoundError(f"run '{full}' does not exist in {_shown(settings)}")
            return [RunName(run.flow, run.run_id, run.token)]
        runs = listed(metadata, flow)
    if flow is not None and not runs:
        raise NotFoundError(f"flow '{flow}' has no runs in {_shown(settings)}")
    for run in runs:
        if is_live(run):
            click.echo(f"left out {run.flow}/{run.run_id}: it is running ({run.holder})", err=True)
    return [RunName(run.flow, run.run_id, run.token) for run in runs if not is_live(run)]


def _shown(settings: "Settings") -> str:
    return settings.home if not settings.metadata else settings.metadata_location


def _check_free(target: "Target", names: "Sequence[RunName]", renumber: bool) -> None:
    """Raise `ConflictError` before anything is copied when other runs have the same ids."""
    from flowkit.exceptions import ConflictError
    from flowkit.model.transfer import Presence

    taken = [p.pathspec for p in target.find(names) if p.presence is Presence.TAKEN]
    if taken and not renumber:
        more = f" (and {len(taken) - 1} more)" if len(taken) > 1 else ""
        raise ConflictError(
            f"nothing was copied, as another run is '{taken[0]}' there already{more}: add "
            "--renumber to give the next free number to those that come, or leave them out"
        )


def _copy(origin: "Origin", target: "Target", names: "Sequence[RunName]", quiet: bool) -> int:
    """Copy runs, say what became of them, and return the exit code."""
    from flowkit.upkeep.transfer import Left, copy_runs

    line = _Line(is_quiet=quiet)
    done: list[Copied] = []
    left: list[Left] = []
    try:
        for one in copy_runs(origin, target, names, line.show):
            if isinstance(one, Left):
                left.append(one)
                line.say(f"left out: {one.error}", is_error=True)
            else:
                done.append(one)
                line.say(_sentence(one))
    finally:
        line.clear()
    if not quiet:
        click.echo(_summary(done, left))
    return left[0].error.exit_code if left else 0


def _sentence(one: "Copied") -> str:
    name = one.name.pathspec
    renamed = "" if one.pathspec == name else f" as {one.pathspec}"
    if not one.is_new:
        return f"{name} is there already{renamed}"
    logless = "" if one.has_log else ", without its log, which is not here"
    return f"{name} copied{renamed}: {one.blobs} blobs, {readable(one.bytes)}{logless}"


def _summary(done: "Sequence[Copied]", left: "Sequence[Left]") -> str:
    new = [one for one in done if one.is_new]
    blobs, shared = sum(one.blobs for one in new), sum(one.shared for one in new)
    size = readable(sum(one.bytes for one in new))
    failed = f"; could not be copied: {len(left)}" if left else ""
    return (
        f"runs copied: {len(new)} ({blobs} blobs, {size}; {shared} blobs were there); "
        f"there already: {len(done) - len(new)}{failed}"
    )


class _Line:
    """One live line on a terminal; plain lines, one per run, elsewhere."""

    def __init__(self, *, is_quiet: bool) -> None:
        self._is_quiet = is_quiet
        self._stream = sys.stderr
        self._is_live = self._stream.isatty() and not is_quiet

    def show(self, step: "Step") -> None:
        """Show how far a run has come."""
        if self._is_live:
            facts = f"{step.blobs} of {step.of} blobs, {readable(step.bytes)}"
            self._stream.write(f"\r\x1b[2Kcopying {step.name.pathspec}: {facts}")
            self._stream.flush()

    def say(self, text: str, *, is_error: bool = False) -> None:
        """Print a line that stays."""
        self.clear()
        if is_error or not self._is_quiet:
            click.secho(text, err=True, fg="red" if is_error else None)

    def clear(self) -> None:
        """Take the live line away."""
        if self._is_live:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()
