"""Reading runs, tasks, attempts and artifacts: each call sees one snapshot."""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from flowkit.enums import Status
from flowkit.metastore import rows
from flowkit.metastore.database import Row, Session, Snapshots
from flowkit.metastore.lease import LockDirectory
from flowkit.metastore.traces import SqlTraceReader
from flowkit.metastore.versionreader import SqlVersionReader
from flowkit.model.records import (
    ArtifactRecord,
    AttemptRecord,
    FlowRecord,
    RunRecord,
    StepRecord,
    TaskRecord,
)
from flowkit.ports.traces import TraceReader
from flowkit.ports.versions import VersionReader

_NEWEST = 2**62
"""Above every run key and task id."""


class SqlReader:
    """The `MetadataReader` of every SQL database."""

    def __init__(self, snapshots: Snapshots, locks: LockDirectory) -> None:
        self.versions: VersionReader = SqlVersionReader(snapshots)
        self.traces: TraceReader = SqlTraceReader(snapshots)
        self._snapshots = snapshots
        self._locks = locks

    def flows(self) -> Sequence[FlowRecord]:
        """Return every flow that has a run; see `MetadataReader.flows`."""
        return [rows.flow_record(row) for row in self._query("flows", {})]

    def runs(
        self,
        flow: str | None = None,
        *,
        tags: Sequence[str] = (),
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[RunRecord]:
        """Return runs, newest first; see `MetadataReader.runs`."""
        wanted = sorted({unicodedata.normalize("NFC", tag) for tag in tags})
        params = {
            "flow": flow,
            "tag": next(iter(wanted), None),
            "tags": wanted,
            "tag_count": len(wanted),
            "before": _NEWEST if before is None else before,
            "limit": limit,
        }
        name = "tagged_runs" if wanted else "runs"
        return self._runs(name if flow is None else f"{name}_of_flow", params)

    def run(self, flow: str, run_id: str) -> RunRecord | None:
        """Return one run; see `MetadataReader.run`."""
        return next(iter(self._runs("run", {"flow": flow, "run_id": run_id})), None)

    def steps(self, flow: str, run_id: str) -> Sequence[StepRecord]:
        """Return the steps that have tasks; see `MetadataReader.steps`."""
        return rows.step_records(self._query("steps", {"flow": flow, "run_id": run_id}))

    def tasks(
        self,
        flow: str,
        run_id: str,
        step: str | None = None,
        *,
        before: int | None = None,
        limit: int = 1000,
    ) -> Sequence[TaskRecord]:
        """Return tasks with their visible attempts, newest first; see `MetadataReader.tasks`."""
        params = {
            "flow": flow,
            "run_id": run_id,
            "step": step,
            "before": _NEWEST if before is None else before,
            "limit": limit,
        }
        name = "tasks" if step is None else "tasks_of_step"
        return [rows.task_record(row) for row in self._query(name, params)]

    def task(self, flow: str, run_id: str, task_id: int) -> TaskRecord | None:
        """Return one task; see `MetadataReader.task`."""
        found = self._query("task", {"flow": flow, "run_id": run_id, "task_id": task_id})
        return rows.task_record(found[0]) if found else None

    def children(self, flow: str, run_id: str, task_id: int) -> Sequence[TaskRecord]:
        """Return the tasks that follow one directly; see `MetadataReader.children`."""
        params = {"flow": flow, "run_id": run_id, "task_id": task_id}
        return [rows.task_record(row) for row in self._query("children", params)]

    def attempts(self, flow: str, run_id: str, task_id: int) -> Sequence[AttemptRecord]:
        """Return the attempts of a task; see `MetadataReader.attempts`."""
        params = {"flow": flow, "run_id": run_id, "task_id": task_id}
        return [rows.attempt_record(row) for row in self._query("attempts", params)]

    def artifacts(
        self, flow: str, run_id: str, task_id: int, attempt: int
    ) -> Sequence[ArtifactRecord]:
        """Return what one attempt wrote; see `MetadataReader.artifacts`."""
        params = {"flow": flow, "run_id": run_id, "task_id": task_id, "attempt": attempt}
        return [rows.artifact_record(row) for row in self._query("artifacts", params)]

    def close(self) -> None:
        """Close the connection. May be repeated."""
        self._snapshots.close()

    def _query(self, name: str, params: Mapping[str, object]) -> Sequence[Row]:
        return self._snapshots.read(lambda session: session.query(name, params))

    def _runs(self, name: str, params: Mapping[str, object]) -> Sequence[RunRecord]:
        """Return runs; those that nobody drives any more as CRASHED."""

        def work(session: Session) -> tuple[Sequence[Row], set[tuple[int, int]]]:
            found = session.query(name, params)
            return found, self._orphans(found, session.now)

        found, suspects = self._snapshots.read(work)
        if not suspects:
            return rows.run_records(found)
        # A driver may have ended its run, properly, after the snapshot and before its lock was
        # looked at. What is still running in a second snapshot was dead in the first.
        found, orphans = self._snapshots.read(work)
        crashed = {key for key, _ in suspects & orphans}
        return [
            replace(record, status=Status.CRASHED) if record.key in crashed else record
            for record in rows.run_records(found)
        ]

    def _orphans(self, found: Sequence[Row], now: Callable[[], int]) -> set[tuple[int, int]]:
        """Return key and epoch of the running runs whose drivers seem to be dead."""
        return {
            (row["key"], row["epoch"])
            for row in found
            if row["status"] == Status.RUNNING
            and not self._locks.is_alive(row["token"], rows.holder(row), now() - row["heartbeat"])
        }
