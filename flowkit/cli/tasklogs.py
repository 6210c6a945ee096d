"""What tasks have written, printed: at once, or as it comes."""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from flowkit.cli.printing import tasks_of
from flowkit.client import Task
from flowkit.exceptions import DataMissingError
from flowkit.model.pathspec import Pathspec


@dataclass(frozen=True, slots=True)
class LogView:
    """Which lines to print, and how.

    Attributes:
        streams: "stdout", "stderr" or "both".
        timestamps: Put the local time first.
        attempt: Number of the attempt; the latest when None.
        follow: Go on until the tasks have ended.
    """

    streams: str = "both"
    timestamps: bool = False
    attempt: int | None = None
    follow: bool = False

    @property
    def chosen(self) -> tuple[str, ...]:
        """The names of the streams."""
        return ("stdout", "stderr") if self.streams == "both" else (self.streams,)


def print_logs(address: Pathspec, view: LogView) -> None:
    """Print lines of stdout to stdout, and lines of stderr to stderr.

    Args:
        address: A run, a step or a task.
        view: Which lines, and how.
    """
    if not view.follow:
        _print_tasks(tasks_of(address, view.attempt), view)
        return
    if view.attempt is not None:
        raise click.UsageError("--follow shows all attempts: it can't go with --attempt")
    _follow(address, view)


def _print_tasks(tasks: Iterator[Task], view: LogView) -> None:
    lost = []
    for task in tasks:
        lost.append(task.lost_log())
        for stream in view.chosen:
            out = sys.stdout if stream == "stdout" else sys.stderr
            for at, line in task.loglines(stream):
                out.write(f"{_local(at)} {line}\n" if view.timestamps else f"{line}\n")
    _tell_lost(lost)


def _tell_lost(found: Iterable[str]) -> None:
    """Raise the first of what tasks say about logs that can't be read here."""
    lost = next(filter(None, found), "")
    if lost:
        raise DataMissingError(lost)


def _follow(address: Pathspec, view: LogView) -> None:
    from flowkit.client.following import follow_log

    has_lines = False
    for line in follow_log(str(address)):
        has_lines = True
        if line.stream not in view.chosen:
            continue
        out = sys.stdout if line.stream == "stdout" else sys.stderr
        when = f"{_local(datetime.fromtimestamp(line.at / 1e6, UTC))} " if view.timestamps else ""
        which = f"[{line.step}/{line.task_id}] " if address.task is None else ""
        out.write(f"{when}{which}{line.text}\n")
        out.flush()
    if not has_lines:
        _tell_lost(task.lost_log() for task in tasks_of(address, None))


def _local(at: datetime) -> str:
    local = at.astimezone()
    return local.strftime("%Y-%m-%d %H:%M:%S.") + f"{local.microsecond // 1000:03d}"
