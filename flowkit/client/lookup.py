"""Records from the metadata: pages joined into iterators, and the pseudo-step ``_parameters``."""

from collections.abc import Iterator, Sequence

from flowkit.enums import Status
from flowkit.model.records import AttemptRecord, RunRecord, TaskRecord
from flowkit.ports.metadata import MetadataReader

PARAMETERS = "_parameters"
"""The step whose only task, 0, holds a run's parameters and constants."""
_PARAMETERS_TASK = 0
_RUNS_PER_PAGE = 100
_TASKS_PER_PAGE = 1000


def each_run(reader: MetadataReader, flow: str, tags: Sequence[str] = ()) -> Iterator[RunRecord]:
    """Yield the runs of a flow that have all of these tags, newest first, a page at a time."""
    before: int | None = None
    # Pages grow: most callers want the newest run only, or the newest that went well.
    limit = 1
    while True:
        page = reader.runs(flow, tags=tags, before=before, limit=limit)
        yield from page
        if len(page) < limit:
            return
        before = page[-1].key
        limit = min(limit * 4, _RUNS_PER_PAGE)


def has_run(reader: MetadataReader, flow: str, tags: Sequence[str] = ()) -> bool:
    """Whether the flow has a run with all of these tags."""
    return bool(reader.runs(flow, tags=tags, limit=1))


def each_task(reader: MetadataReader, run: RunRecord, step: str) -> Iterator[TaskRecord]:
    """Yield the tasks of a step, newest first, a page at a time."""
    if step == PARAMETERS:
        yield parameters_task(run)
        return
    before: int | None = None
    while True:
        page = reader.tasks(run.flow, run.run_id, step, before=before, limit=_TASKS_PER_PAGE)
        yield from page
        if len(page) < _TASKS_PER_PAGE:
            return
        before = page[-1].task_id


def newest_task(reader: MetadataReader, run: RunRecord, step: str) -> TaskRecord | None:
    """Return the newest task of a step; None when the run has not come to that step."""
    if step == PARAMETERS:
        return parameters_task(run)
    return next(iter(reader.tasks(run.flow, run.run_id, step, limit=1)), None)


def find_task(reader: MetadataReader, run: RunRecord, step: str, task_id: int) -> TaskRecord | None:
    """Return one task if it is one of this step."""
    if step == PARAMETERS:
        return parameters_task(run) if task_id == _PARAMETERS_TASK else None
    task = reader.task(run.flow, run.run_id, task_id)
    return task if task is not None and task.step == step else None


def find_attempt(reader: MetadataReader, task: TaskRecord, attempt: int) -> AttemptRecord | None:
    """Return one attempt of a task; None when there was no such attempt."""
    if task.last.attempt == attempt:
        return task.last
    if task.step == PARAMETERS:
        return None
    attempts = reader.attempts(task.flow, task.run_id, task.task_id)
    return next((record for record in attempts if record.attempt == attempt), None)


def parameters_task(run: RunRecord) -> TaskRecord:
    """Return the task of ``_parameters``: it has no row, its manifest is the root of the run."""
    origin = run.origin_run_id
    attempt = AttemptRecord(
        task_id=_PARAMETERS_TASK,
        step=PARAMETERS,
        attempt=0,
        status=Status.SUCCEEDED,
        manifest=run.root,
        error=None,
        started_at=run.created_at,
        finished_at=run.created_at,
        log_start=0,
        log_end=0,
        origin=f"{run.flow}/{origin}/{PARAMETERS}/{_PARAMETERS_TASK}" if origin else None,
    )
    return TaskRecord(
        flow=run.flow,
        run_id=run.run_id,
        step=PARAMETERS,
        task_id=_PARAMETERS_TASK,
        created_at=run.created_at,
        frames=(),
        iteration=0,
        inputs=(),
        attempts=1,
        last=attempt,
    )
