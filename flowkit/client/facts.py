"""The ``metadata`` of a task: what the records say about it, as named facts."""

import json
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from flowkit.client.internal import is_finished
from flowkit.model.records import AttemptRecord, RunRecord, TaskRecord


class Fact(NamedTuple):
    """One fact before it becomes a `Metadatum`; ``at`` is in UTC microseconds."""

    name: str
    value: str
    at: int
    type: str


def task_facts(
    run: RunRecord, task: TaskRecord, attempts: Sequence[AttemptRecord]
) -> Iterator[Fact]:
    """Yield what is known about a task, the facts of its attempts last and in their order."""
    for name, value in run.info.items():
        yield Fact(name, _text(value), run.created_at, name)
    yield Fact("user", run.user, task.created_at, "user")
    if run.origin_run_id is not None:
        yield Fact("origin-run-id", run.origin_run_id, task.created_at, "origin-run-id")
    if task.frames:
        stack = [
            [frame.step, frame.variable, frame.num_splits, frame.index] for frame in task.frames
        ]
        indices = [frame.index for frame in task.frames]
        yield Fact("foreach-stack", _text(stack), task.created_at, "foreach-stack")
        yield Fact("foreach-indices", _text(indices), task.created_at, "foreach-indices")
    for attempt in attempts:
        yield from _attempt_facts(attempt)


def _attempt_facts(attempt: AttemptRecord) -> Iterator[Fact]:
    yield Fact("attempt", str(attempt.attempt), attempt.started_at, "attempt")
    if attempt.origin is not None:
        origin_task = attempt.origin.rpartition("/")[2]
        yield Fact("origin-task-id", origin_task, attempt.started_at, "origin-task-id")
        yield Fact("origin-pathspec", attempt.origin, attempt.started_at, "origin-pathspec")
    if attempt.finished_at is not None:
        ok = str(is_finished(attempt))
        yield Fact("attempt_ok", ok, attempt.finished_at, "internal_attempt_status")
    if attempt.error is not None:
        yield Fact(
            "error", attempt.error.message, attempt.finished_at or attempt.started_at, "error"
        )


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value)
