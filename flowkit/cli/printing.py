"""Tasks that the user names, and their artifacts, printed."""

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import click

from flowkit.access import open_private
from flowkit.client import Run, Step, Task
from flowkit.exceptions import InvalidPathspecError, NotFoundError, StorageError
from flowkit.model.pathspec import Pathspec, parse_pathspec

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


def address_at(flow: str, path: str, *, may_be_run: bool = False) -> Pathspec:
    """Return the address of ``run/step`` or ``run/step/task`` of a flow.

    A path that begins with the flow's name is accepted as well.

    Args:
        flow: Name of the flow.
        path: What the user has given.
        may_be_run: Whether a run alone will do.

    Raises:
        InvalidPathspecError: The path has another form.
    """
    parts = path.split("/")
    if parts[0] == flow and len(parts) > (1 if may_be_run else 2):
        parts = parts[1:]
    if len(parts) not in ((1, 2, 3) if may_be_run else (2, 3)):
        raise InvalidPathspecError(
            f"{path!r}: the path should either be run_id/step_name or run_id/step_name/task_id"
        )
    return parse_pathspec("/".join([flow, *parts]))


def tasks_of(address: Pathspec, attempt: int | None = None) -> Iterator[Task]:
    """Yield one task, those of a step (newest first), or those of a run (in order of its steps).

    Raises:
        InvalidPathspecError: The address is none of these.
        NotFoundError: There is no such run, step, task, or attempt of the task.
    """
    name = str(address)
    if len(address.parts) not in (2, 3, 4):
        raise InvalidPathspecError(f"{name!r}: give a run, a step or a task")
    run = Run(f"{address.flow}/{address.run}", _namespace_check=False)
    match len(address.parts):
        case 2:
            for step in reversed(list(run)):
                yield from tasks_of(parse_pathspec(step.pathspec), attempt)
        case 3:
            for task in Step(name, _namespace_check=False):
                yield task if attempt is None else Task(task.pathspec, attempt, False)
        case 4:
            yield _task(name, attempt)


def _task(pathspec: str, attempt: int | None) -> Task:
    last = Task(pathspec, _namespace_check=False)
    if attempt is None:
        return last
    if attempt > last.current_attempt:
        raise NotFoundError(
            f"task {pathspec} has no attempt {attempt}: its last one is {last.current_attempt}"
        )
    return Task(pathspec, attempt, _namespace_check=False)


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
        with open(path, "wb", opener=open_private) as file:
            pickle.dump(content, file)
    except OSError as error:
        raise StorageError(f"can't write {path}: {error.strerror}") from None
