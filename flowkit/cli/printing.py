"""Artifacts and logs of finished tasks, printed."""

import pickle
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from flowkit.client import Step, Task
from flowkit.exceptions import InvalidPathspecError, NotFoundError, StorageError

INTERNAL = (
    "_exception",
    "_foreach_stack",
    "_foreach_values",
    "_graph_info",
    "_success",
    "_task_ok",
)
"""Artifacts that follow from the records: they are looked up by name, not listed."""


@dataclass(frozen=True, slots=True)
class Dump:
    """What to show of tasks' artifacts: names (all when empty), how, and where to."""

    names: Sequence[str]
    with_internal: bool
    max_value_size: int
    output: str | None


def tasks_at(flow: str, path: str, attempt: int | None = None) -> Iterator[Task]:
    """Yield the tasks of ``run/step`` (newest first) or the one of ``run/step/task``.

    A path that begins with the flow's name is accepted as well.

    Raises:
        InvalidPathspecError: The path has another form.
        NotFoundError: There is no such step or task.
    """
    parts = path.split("/")
    if parts[0] == flow and len(parts) > 2:  # noqa: PLR2004 - Flow/run/step
        parts = parts[1:]
    if len(parts) not in (2, 3):
        raise InvalidPathspecError(
            f"{path!r}: the path should either be run_id/step_name or run_id/step_name/task_id"
        )
    pathspec = "/".join([flow, *parts])
    if len(parts) == 3:  # noqa: PLR2004 - run/step/task
        yield Task(pathspec, attempt=attempt, _namespace_check=False)
        return
    for task in Step(pathspec, _namespace_check=False):
        yield task if attempt is None else Task(task.pathspec, attempt, _namespace_check=False)


def dump_tasks(tasks: Iterator[Task], wanted: Dump) -> None:
    """Print the artifacts of tasks, or write them to a file as a pickle."""
    content: dict[str, dict[str, Any]] = {}
    for task in tasks:
        _, run, step, task_id = task.pathspec.split("/")
        if wanted.output is None:
            click.echo(f"Dumping output of run_id={run} step={step} task_id={task_id}", err=True)
            _print_artifacts(task, wanted)
        else:
            names = _names(task, wanted)
            content[f"{run}/{step}/{task_id}"] = {name: task[name].data for name in names}
    if wanted.output is not None:
        _write(wanted.output, content)
        click.echo(f"Artifacts written to {wanted.output}", err=True)


def _names(task: Task, wanted: Dump) -> list[str]:
    stored = task.artifact_names(private=True)
    known = [*stored, *(name for name in INTERNAL if name not in stored and name in task)]
    missing = [name for name in wanted.names if name not in known]
    if missing:
        raise NotFoundError(f"task {task.pathspec} has no artifact '{missing[0]}'")
    if wanted.names:
        return [name for name in known if name in wanted.names]
    return [name for name in known if wanted.with_internal or not name.startswith("_")]


def _print_artifacts(task: Task, wanted: Dump) -> None:
    for name in _names(task, wanted):
        artifact = task[name]
        head = f"{name} [size: {artifact.size} type: <class '{artifact.type}'>]"
        if wanted.max_value_size and artifact.size <= wanted.max_value_size:
            head += f" = {_shown(artifact.data)}"
        click.echo(head)


def _shown(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - a user's __repr__ may raise anything
        return f"<{type(value).__name__} whose __repr__ raised {type(error).__name__}>"


def _write(path: str, content: object) -> None:
    try:
        with open(path, "wb") as file:
            pickle.dump(content, file)
    except OSError as error:
        raise StorageError(f"can't write {path}: {error.strerror}") from None


def show_logs(tasks: Iterator[Task], streams: str, *, with_times: bool) -> None:
    """Print the log lines of tasks, stdout lines to stdout and stderr lines to stderr."""
    chosen = ("stdout", "stderr") if streams == "both" else (streams,)
    for task in tasks:
        for stream in chosen:
            out = sys.stdout if stream == "stdout" else sys.stderr
            for at, line in task.loglines(stream):
                out.write(f"{_local(at)} {line}\n" if with_times else f"{line}\n")


def _local(at: datetime) -> str:
    local = at.replace(tzinfo=UTC).astimezone()
    return local.strftime("%Y-%m-%d %H:%M:%S.") + f"{local.microsecond // 1000:03d}"
