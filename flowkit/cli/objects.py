"""The commands of ``flowkit`` that look at one run, step or task: ``show`` and ``logs``."""

import json
from datetime import datetime
from typing import Any

import click

from flowkit.cli.logoptions import with_log_options

Row = dict[str, Any]


@click.command()
@click.argument("pathspec")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def show(pathspec: str, as_json: bool) -> None:
    """Show a run and its steps, a step and its tasks, or a task and its artifacts.

    PATHSPEC is Flow/run, Flow/run/step or Flow/run/step/task.
    """
    from flowkit.exceptions import InvalidPathspecError
    from flowkit.model.pathspec import parse_pathspec

    address = parse_pathspec(pathspec)
    described = {2: _run, 3: _step, 4: _task}.get(len(address.parts))
    if described is None:
        raise InvalidPathspecError(f"{pathspec!r}: give a run, a step or a task")
    facts, tables = described(str(address))
    if as_json:
        click.echo(json.dumps({**facts, **tables}, indent=2))
    else:
        _print(facts, tables)


@click.command()
@click.argument("pathspec")
@with_log_options
def logs(pathspec: str, **options: Any) -> None:
    """Show the logs of a run, a step or a task.

    PATHSPEC is Flow/run, Flow/run/step or Flow/run/step/task.
    """
    from flowkit.cli.tasklogs import LogView, print_logs
    from flowkit.model.pathspec import parse_pathspec

    print_logs(parse_pathspec(pathspec), LogView(**options))


def _run(pathspec: str) -> tuple[Row, dict[str, list[Row]]]:
    from flowkit.client import Run
    from flowkit.client.session import current_session

    run = Run(pathspec, _namespace_check=False)
    flow, run_id = run.path_components
    steps = reversed(current_session().metadata.steps(flow, run_id))
    facts = {
        "run": run.pathspec,
        "status": run.status.value,
        "created": _time(run.created_at),
        "finished": _time(run.finished_at),
        "resumes": run.origin_pathspec,
        "tags": sorted(run.user_tags),
        "system tags": sorted(run.system_tags),
    }
    rows = [
        {
            "step": step.name,
            "tasks": step.tasks,
            **{status.value: count for status, count in step.counts.items() if count},
        }
        for step in steps
    ]
    return facts, {"steps": rows}


def _step(pathspec: str) -> tuple[Row, dict[str, list[Row]]]:
    from flowkit.client import Step

    step = Step(pathspec, _namespace_check=False)
    rows = [
        {
            "task": task.id,
            "status": task.status.value,
            "attempt": task.current_attempt,
            "index": task.index,
            "created": _time(task.created_at),
            "finished": _time(task.finished_at),
        }
        for task in step
    ]
    return {"step": step.pathspec, "created": _time(step.created_at)}, {"tasks": rows}


def _task(pathspec: str) -> tuple[Row, dict[str, list[Row]]]:
    from flowkit.client import Task
    from flowkit.client.session import current_session

    task = Task(pathspec, _namespace_check=False)
    flow, run_id, _, task_id = task.path_components
    attempts = current_session().metadata.attempts(flow, run_id, int(task_id))
    facts = {
        "task": task.pathspec,
        "status": task.status.value,
        "created": _time(task.created_at),
        "finished": _time(task.finished_at),
        "taken over from": task.origin_pathspec,
        "after": list(task.parent_task_pathspecs),
    }
    tries = [
        {
            "attempt": attempt.attempt,
            "status": attempt.status.value,
            "cause": attempt.error.cause.value if attempt.error else None,
            "message": attempt.error.message.partition("\n")[0] if attempt.error else None,
        }
        for attempt in attempts
    ]
    artifacts = [{"artifact": found.id, "type": found.type, "size": found.size} for found in task]
    return facts, {"attempts": tries, "artifacts": artifacts}


def _print(facts: Row, tables: dict[str, list[Row]]) -> None:
    from tabulate import tabulate

    width = max(map(len, facts)) + 2
    for name, value in facts.items():
        text = ", ".join(value) if isinstance(value, list) else value
        click.echo(f"{name + ':':<{width}}{text or '-'}")
    for name, rows in tables.items():
        click.echo()
        if rows:
            click.echo(tabulate(rows, headers="keys", disable_numparse=True, missingval=""))
        else:
            click.echo(f"no {name}")


def _time(at: datetime | None) -> str | None:
    return None if at is None else at.strftime("%Y-%m-%d %H:%M:%S")
