"""Runs, tasks, attempts and artifacts as rows: SQL is the truth."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from flowkit.enums import Status
from flowkit.model.records import (
    ArtifactRecord,
    AttemptOutcome,
    AttemptRecord,
    FlowRecord,
    NewRun,
    NewTask,
    RunLease,
    RunRecord,
    StepRecord,
    TaskRecord,
)
from flowkit.ports.sweeping import SweepGuard
from flowkit.ports.traces import TraceReader, TraceWriter
from flowkit.ports.versions import VersionReader, VersionWriter

AUDITED = "flowkit.metadata"
"""The event that stores tell Python's audit hooks when they are read or written."""


class MetadataWriter(Protocol):
    """What a driver writes. Every method is one transaction, durable when it returns.

    Every write that takes a lease is refused with `FencedError` when the run's epoch is newer
    than the lease's, and never changes a terminal state. ``MetadataError`` means that nothing
    was written.
    """

    versions: VersionWriter
    """Writes versions of artifacts outside of runs, over the same connection."""
    traces: TraceWriter
    """Forgets traces of results, over the same connection."""
    sweeping: SweepGuard
    """Keeps blobs from garbage collection, over the same connection."""

    def create_run(self, new: NewRun) -> RunLease:
        """Create a run in state RUNNING and return the lease on it.

        Run ids are "1", "2", ... per flow, without gap or duplicate under any number of
        concurrent writers and aborted transactions. A run that brings its own id takes no number.

        Raises:
            ConflictError: There is a run with the id that this one brings.
        """

    def take_over(self, flow: str, run_id: str) -> RunLease:
        """Return a new lease on a RUNNING run whose driver is dead, with the next epoch.

        Every later write under an older lease of the run is refused. Of several that try at the
        same time, one gets the run.

        Raises:
            NotFoundError: There is no such run.
            ConflictError: Its driver is alive (the message names host, process and since when),
                somebody else was faster, or the run is in a terminal state.
        """

    def record(
        self, lease: RunLease, ended: Sequence[AttemptOutcome], started: Sequence[NewTask]
    ) -> int:
        """Register attempts about to start, then commit those that have ended: the commit point.

        An attempt may be in both: one whose result was reused instead of running it.
        All or nothing. Repeating a call whose outcome was unknown changes nothing. What succeeded
        attempts publish becomes versions in the same transaction, as `VersionWriter.publish`
        says; an attempt that took over a result is linked to the versions of that one. What such an
        attempt publishes gives these their tags and metadata; only where it has another name or
        version than they, and no version of that name has the same value, is a new one made.

        Returns:
            The store's counter of garbage collections, which the driver has acknowledged now.

        Raises:
            InternalError: An attempt ended that was never started, or the run has ended.
            VersionExistsError: A version to be published exists with other content.
        """

    def heartbeat(self, lease: RunLease) -> int | None:
        """Say that the driver is alive, by the database's clock.

        Returns:
            As `record` does; None when the run has ended under this lease.
        """

    def finish_run(self, lease: RunLease, status: Status) -> None:
        """Put the run into a terminal state and give the lease back.

        Attempts that are still RUNNING become CANCELLED. A run that has ended under this lease
        stays as it is.
        """

    def change_tags(
        self, flow: str, run_id: str, add: Iterable[str], remove: Iterable[str]
    ) -> tuple[str, ...]:
        """Remove, then add user tags of a run; return the tags it has then.

        Needs no lease, loses nothing under concurrent writers. Adding a system tag is a no-op.

        Raises:
            NotFoundError: There is no such run.
            TaggingError: A system tag was to be removed, or there would be more than 50 tags.
        """

    def close(self) -> None:
        """Close the connection and give back whatever is still held. May be repeated."""


class MetadataReader(Protocol):
    """What readers see: one snapshot per call, newest first, in pages, never a value.

    A RUNNING run whose driver is dead is reported as CRASHED: at once where the driver's lock can
    be seen, elsewhere a minute after its last heartbeat.
    Unknown objects give None or an empty sequence; nothing raises `NotFoundError` here.
    """

    versions: VersionReader
    """Reads versions of artifacts, over the same connection."""
    traces: TraceReader
    """Finds traces of results, over the same connection."""

    def flows(self) -> Sequence[FlowRecord]:
        """Return every flow that has a run, the one with the newest run first."""

    def runs(
        self,
        flow: str | None = None,
        *,
        tags: Sequence[str] = (),
        before: int | None = None,
        limit: int = 100,
    ) -> Sequence[RunRecord]:
        """Return runs, newest first.

        Args:
            flow: Only those of this flow.
            tags: Only those that have all of these user or system tags.
            before: Only those created before the run with this ``key``: the next page.
            limit: How many at most.
        """

    def run(self, flow: str, run_id: str) -> RunRecord | None:
        """Return one run."""

    def steps(self, flow: str, run_id: str) -> Sequence[StepRecord]:
        """Return the steps that have tasks, the one whose first task came last first."""

    def tasks(
        self,
        flow: str,
        run_id: str,
        step: str | None = None,
        *,
        before: int | None = None,
        limit: int = 1000,
    ) -> Sequence[TaskRecord]:
        """Return tasks with their visible attempts, newest (highest id) first.

        Args:
            flow: Name of the flow.
            run_id: Id of the run.
            step: Only those of this step.
            before: Only those with a smaller task id: the next page.
            limit: How many at most.
        """

    def task(self, flow: str, run_id: str, task_id: int) -> TaskRecord | None:
        """Return one task."""

    def children(self, flow: str, run_id: str, task_id: int) -> Sequence[TaskRecord]:
        """Return the tasks that have this one among their inputs, oldest first."""

    def attempts(self, flow: str, run_id: str, task_id: int) -> Sequence[AttemptRecord]:
        """Return the attempts of a task, 0 first."""

    def artifacts(
        self, flow: str, run_id: str, task_id: int, attempt: int
    ) -> Sequence[ArtifactRecord]:
        """Return what one attempt wrote, in the order of writing."""

    def close(self) -> None:
        """Close the connection. May be repeated."""
