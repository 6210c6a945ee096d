"""Records to rows and rows to records; what has no column of its own is JSON text."""

import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from typing import Any

from flowkit.enums import Cause, Status
from flowkit.metastore.database import Row
from flowkit.metastore.lease import Holder
from flowkit.model.manifest import ArtifactRef
from flowkit.model.records import (
    ArtifactRecord,
    AttemptOutcome,
    AttemptRecord,
    FlowRecord,
    NewTask,
    RunRecord,
    StepRecord,
    TaskRecord,
)
from flowkit.model.tasks import AttemptError, Frame

to_json = json.JSONEncoder(separators=(",", ":")).encode
"""Returns a value as compact JSON in ASCII, which every database stores as it is."""


# --- to rows --------------------------------------------------------------------------------------


def task_row(run: int, new: NewTask, now: int) -> dict[str, object]:
    """Return the parameters that register a task and its attempt."""
    return {
        "run": run,
        "task_id": new.task_id,
        "step": new.step,
        "now": now,
        "frames": to_json([_frame_to_list(frame) for frame in new.frames]),
        "iteration": new.iteration,
        "inputs": to_json(new.inputs),
        "gang_rank": new.gang_rank,
        "attempt": new.attempt,
    }


def outcome_row(run: int, outcome: AttemptOutcome) -> dict[str, object]:
    """Return the parameters that end an attempt."""
    return {
        "run": run,
        "task_id": outcome.task_id,
        "attempt": outcome.attempt,
        "status": outcome.status.value,
        "manifest": outcome.manifest,
        "error": None if outcome.error is None else error_to_json(outcome.error),
        "started_at": outcome.started_at,
        "finished_at": outcome.finished_at,
        "log_start": outcome.log_start,
        "log_end": outcome.log_end,
        "origin": outcome.origin,
    }


def artifact_rows(run: int, outcome: AttemptOutcome) -> Iterable[dict[str, object]]:
    """Yield a row per artifact that the attempt wrote."""
    for position, (name, ref) in enumerate(outcome.written.items()):
        yield {
            "run": run,
            "task_id": outcome.task_id,
            "attempt": outcome.attempt,
            "position": position,
            "name": name,
            "digest": ref.digest,
            "materializer": ref.materializer,
            "type": ref.type,
            "size": ref.size,
            "created_at": outcome.finished_at,
        }


def read_rows(run: int, outcome: AttemptOutcome) -> Iterable[dict[str, object]]:
    """Yield a row per read of the attempt."""
    for position, read in enumerate(outcome.reads):
        yield {
            "run": run,
            "task_id": outcome.task_id,
            "attempt": outcome.attempt,
            "position": position,
            "token": read.token,
            "digest": read.digest,
        }


def error_to_json(error: AttemptError) -> str:
    """Return an error as JSON."""
    return to_json(
        {
            "cause": error.cause.value,
            "message": error.message,
            "type": error.type,
            "traceback": error.traceback,
            "is_charged": error.is_charged,
            "is_retryable": error.is_retryable,
        }
    )


def _frame_to_list(frame: Frame) -> list[object]:
    # A list, not an object: a foreach of 100,000 writes 100,000 of these.
    item = frame.item
    inline = None if item.inline is None else b2a_base64(item.inline, newline=False).decode()
    ref = [item.digest, item.materializer, item.type, item.size, inline]
    return [frame.step, frame.variable, frame.index, frame.num_splits, ref]


# --- to records -----------------------------------------------------------------------------------


def flow_record(row: Row) -> FlowRecord:
    """Return one flow."""
    return FlowRecord(row["name"], row["created_at"], row["runs"], row["last_run_id"])


def run_records(rows: Sequence[Row]) -> list[RunRecord]:
    """Return the runs of a result that has one row per run and tag, as they are stored."""
    return [_run_record(list(group)) for _, group in groupby(rows, key=lambda row: row["key"])]


def _run_record(rows: Sequence[Row]) -> RunRecord:
    row = rows[0]
    return RunRecord(
        flow=row["flow"],
        run_id=row["run_id"],
        key=row["key"],
        token=row["token"],
        status=Status(row["status"]),
        user=row["user_name"],
        root=row["root"],
        created_at=row["created_at"],
        finished_at=row["finished_at"],
        origin_run_id=row["origin_run_id"],
        tags=tuple(sorted(row["tag"] for row in rows if row["is_system"] == 0)),
        system_tags=tuple(sorted(row["tag"] for row in rows if row["is_system"] == 1)),
        info=json.loads(row["info"]),
        holder=str(holder(row)),
    )


def holder(row: Row) -> Holder:
    """Return the process that holds a run's lease."""
    return Holder(row["host"], row["boot_id"], row["pid"], row["pid_start"])


def step_records(rows: Iterable[Row]) -> list[StepRecord]:
    """Return the steps of a result that has one row per step and status."""
    by_step: dict[str, list[Row]] = {}
    for row in rows:
        by_step.setdefault(row["step"], []).append(row)
    newest_first = sorted(
        by_step.items(), key=lambda entry: min(row["first_id"] for row in entry[1]), reverse=True
    )
    return [_step_record(name, group) for name, group in newest_first]


def _step_record(name: str, rows: Sequence[Row]) -> StepRecord:
    counts = {Status(row["status"]): int(row["tasks"]) for row in rows}
    return StepRecord(name, min(row["created_at"] for row in rows), sum(counts.values()), counts)


def task_record(row: Row) -> TaskRecord:
    """Return one task with its visible attempt."""
    return TaskRecord(
        flow=row["flow"],
        run_id=row["run_id"],
        step=row["step"],
        task_id=row["task_id"],
        created_at=row["created_at"],
        frames=tuple(_frame_from_list(frame) for frame in json.loads(row["frames"])),
        iteration=row["iteration"],
        inputs=tuple(json.loads(row["inputs"])),
        attempts=row["attempts"],
        last=attempt_record(row),
        gang_rank=row["gang_rank"],
    )


def attempt_record(row: Row) -> AttemptRecord:
    """Return one attempt."""
    return AttemptRecord(
        task_id=row["task_id"],
        step=row["step"],
        attempt=row["attempt"],
        status=Status(row["status"]),
        manifest=row["manifest"],
        error=None if row["error"] is None else _error_from_json(row["error"]),
        started_at=row["started_at"],
        finished_at=row["finished_at"],
        log_start=row["log_start"],
        log_end=row["log_end"],
        origin=row["origin"],
    )


def artifact_record(row: Row) -> ArtifactRecord:
    """Return one artifact that an attempt wrote."""
    return ArtifactRecord(
        flow=row["flow"],
        run_id=row["run_id"],
        step=row["step"],
        task_id=row["task_id"],
        attempt=row["attempt"],
        name=row["name"],
        digest=row["digest"],
        materializer=row["materializer"],
        type=row["type"],
        size=row["size"],
        created_at=row["created_at"],
    )


def _error_from_json(text: str) -> AttemptError:
    fields: Mapping[str, Any] = json.loads(text)
    return AttemptError(**{**fields, "cause": Cause(fields["cause"])})


def _frame_from_list(fields: Sequence[Any]) -> Frame:
    step, variable, index, num_splits, (digest, materializer, kind, size, inline) = fields
    inband = None if inline is None else a2b_base64(inline)
    item = ArtifactRef(digest, materializer, kind, size, inband)
    return Frame(step, variable, index, num_splits, item)
