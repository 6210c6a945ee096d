"""Writing runs, tasks, attempts and artifacts: each method is one transaction."""

import os
import time
from collections.abc import Iterable, Sequence
from itertools import chain

from flowkit.enums import Cause, Status
from flowkit.exceptions import (
    ConflictError,
    FencedError,
    InternalError,
    NotFoundError,
    TaggingError,
)
from flowkit.metastore import rows
from flowkit.metastore.database import Row, Session, Transactions
from flowkit.metastore.lease import LockDirectory, RunLock, this_process
from flowkit.metastore.sweeping import SqlSweepGuard
from flowkit.metastore.traces import SqlTraceWriter, insert_traces
from flowkit.metastore.versions import SqlVersionWriter, commit_outcomes, insert_pins
from flowkit.model.pathspec import check_tag
from flowkit.model.records import AttemptOutcome, NewRun, NewTask, RunLease
from flowkit.model.tasks import AttemptError
from flowkit.ports.sweeping import SweepGuard
from flowkit.ports.traces import TraceWriter
from flowkit.ports.versions import VersionWriter

MAX_USER_TAGS = 50
_CANCELLED = AttemptError(Cause.CANCELLED, "the run ended while the attempt ran", is_charged=False)


class SqlWriter:
    """The `MetadataWriter` of every SQL database; holds the locks of the runs it drives."""

    def __init__(self, transactions: Transactions, locks: LockDirectory) -> None:
        self.versions: VersionWriter = SqlVersionWriter(transactions)
        self.traces: TraceWriter = SqlTraceWriter(transactions, locks)
        self.sweeping: SweepGuard = SqlSweepGuard(transactions, locks)
        self._transactions = transactions
        self._locks = locks
        self._held: dict[str, RunLock] = {}

    def create_run(self, new: NewRun) -> RunLease:
        """Create a run; see `MetadataWriter.create_run`."""
        tags = _tag_rows(new)
        info = rows.to_json(dict(new.info))
        token = os.urandom(16).hex()
        # Before the row: nobody may see the run without its lock and take it for crashed.
        lock = self._locks.take(token)
        if lock is None:
            raise InternalError(f"somebody holds the new lock file {token}")
        try:
            lease = self._transactions.write(
                lambda session: _create(session, new, token, info, tags)
            )
        except BaseException:
            lock.remove()
            raise
        self._held[token] = lock
        return lease

    def take_over(self, flow: str, run_id: str) -> RunLease:
        """Take a run over from its dead driver; see `MetadataWriter.take_over`."""
        row = self._transactions.write(lambda session: self._orphan(session, flow, run_id))
        lock = self._locks.take(row["token"])
        if lock is None:
            raise _is_driven(flow, run_id, row)
        try:
            sweeps = self._transactions.write(
                lambda session: _take_over(session, flow, run_id, row)
            )
        except BaseException:
            lock.give_back()
            raise
        self._held[row["token"]] = lock
        return RunLease(flow, run_id, row["key"], row["token"], row["epoch"] + 1, sweeps)

    def record(
        self, lease: RunLease, ended: Sequence[AttemptOutcome], started: Sequence[NewTask]
    ) -> int:
        """Register started attempts, commit ended ones; see `MetadataWriter.record`."""

        def work(session: Session) -> int:
            sweeps = _fence(session, lease)
            if sweeps is None:
                raise InternalError(f"run '{lease.flow}/{lease.run_id}' has already ended")
            _start(session, lease, started)
            _end(session, lease, ended)
            return sweeps

        return self._transactions.write(work)

    def heartbeat(self, lease: RunLease) -> int | None:
        """Say that the driver is alive; see `MetadataWriter.heartbeat`."""
        return self._transactions.write(lambda session: _fence(session, lease))

    def finish_run(self, lease: RunLease, status: Status) -> None:
        """Put the run into a terminal state; see `MetadataWriter.finish_run`."""

        def work(session: Session) -> None:
            if _fence(session, lease) is None:
                return
            facts = {"run": lease.key, "epoch": lease.epoch, "now": session.now()}
            error = rows.error_to_json(_CANCELLED)
            session.execute("cancel_attempts", {**facts, "error": error})
            session.execute("finish_run", {**facts, "status": status.value})
            session.execute("delete_claims_of_run", facts)

        self._transactions.write(work)
        lock = self._held.pop(lease.token, None)
        if lock is not None:
            lock.remove()

    def change_tags(
        self, flow: str, run_id: str, add: Iterable[str], remove: Iterable[str]
    ) -> tuple[str, ...]:
        """Remove, then add user tags of a run; see `MetadataWriter.change_tags`."""
        added = sorted({check_tag(tag) for tag in add})
        removed = sorted({check_tag(tag) for tag in remove})

        def work(session: Session) -> tuple[str, ...]:
            found = session.query("lock_run", {"flow": flow, "run_id": run_id})
            if not found:
                raise NotFoundError(f"run '{flow}/{run_id}' does not exist")
            return _change_tags(session, found[0]["key"], added, removed)

        return self._transactions.write(work)

    def close(self) -> None:
        """Close the connection and give locks back; runs left RUNNING are crashed from now on."""
        while self._held:
            self._held.popitem()[1].give_back()
        self._transactions.close()

    def _orphan(self, session: Session, flow: str, run_id: str) -> Row:
        """Return the lease of a run whose driver is dead."""
        found = session.query("lease_of", {"flow": flow, "run_id": run_id})
        if not found:
            raise NotFoundError(f"run '{flow}/{run_id}' does not exist")
        row = found[0]
        if Status(row["status"]).is_terminal:
            raise ConflictError(f"run '{flow}/{run_id}' has already ended: it is {row['status']}")
        silence = session.now() - row["heartbeat"]
        if self._locks.is_alive(row["token"], rows.holder(row), silence):
            raise _is_driven(flow, run_id, row)
        return row


def _create(
    session: Session, new: NewRun, token: str, info: str, tags: Sequence[tuple[str, int]]
) -> RunLease:
    written = session.query("run_of_token", {"token": token})
    if written:
        # The connection broke after an earlier try had been committed.
        row = written[0]
        return RunLease(new.flow, row["run_id"], row["key"], token, 1, row["sweeps_seen"])
    now = session.now()
    run_id = _chosen_id(session, new, now) or _next_id(session, new.flow, now)
    counters = session.query("next_run_key", {})[0]
    key, sweeps = counters["runs"], counters["sweeps"]
    here = this_process()
    facts = {
        "run": key,
        "flow": new.flow,
        "run_id": run_id,
        "token": token,
        "user": new.user,
        "root": new.root,
        "now": now,
        "origin_run_id": new.origin_run_id,
        "info": info,
        "host": here.host,
        "boot_id": here.boot_id,
        "pid": here.pid,
        "pid_start": here.pid_start,
        "sweeps": sweeps,
    }
    session.execute("insert_run", facts)
    session.execute_many(
        "insert_tag", [{"run": key, "tag": tag, "is_system": system} for tag, system in tags]
    )
    insert_pins(session, key, new.pins)
    return RunLease(new.flow, run_id, key, token, 1, sweeps)


def _next_id(session: Session, flow: str, now: int) -> str:
    return str(session.query("next_run_of_flow", {"flow": flow, "now": now})[0]["runs"])


def _chosen_id(session: Session, new: NewRun, now: int) -> str | None:
    """Return the id that the run brings along, after making sure that it is free."""
    if new.run_id is None:
        return None
    if session.query("lease_of", {"flow": new.flow, "run_id": new.run_id}):
        raise ConflictError(f"run '{new.flow}/{new.run_id}' exists already")
    session.execute("ensure_flow", {"flow": new.flow, "now": now})
    return new.run_id


def _tag_rows(new: NewRun) -> list[tuple[str, int]]:
    """Return the tags of a new run; the system's come first and win."""
    user = {check_tag(tag) for tag in new.tags} - set(new.system_tags)
    _check_count(len(user))
    return [(tag, 1) for tag in new.system_tags] + [(tag, 0) for tag in user]


def _take_over(session: Session, flow: str, run_id: str, row: Row) -> int:
    here = this_process()
    sweeps: int = session.query("counters", {})[0]["sweeps"]
    facts = {
        "sweeps": sweeps,
        "run": row["key"],
        "epoch": row["epoch"],
        "heartbeat": row["heartbeat"],
        "now": session.now(),
        "host": here.host,
        "boot_id": here.boot_id,
        "pid": here.pid,
        "pid_start": here.pid_start,
    }
    if session.execute("take_over", facts):
        return sweeps
    # It may have been us: the connection broke after an earlier try had been committed.
    after = session.query("lease_of", {"flow": flow, "run_id": run_id})
    if not after or after[0]["epoch"] != row["epoch"] + 1 or rows.holder(after[0]) != here:
        raise ConflictError(f"run '{flow}/{run_id}' was taken over by somebody else meanwhile")
    return sweeps


def _is_driven(flow: str, run_id: str, row: Row) -> ConflictError:
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(row["created_at"] / 1e6))
    return ConflictError(
        f"run '{flow}/{run_id}' is driven by {rows.holder(row)}, since {since} UTC"
    )


def _fence(session: Session, lease: RunLease) -> int | None:
    """Return the store's counter of garbage collections; None when the run has ended.

    The first statement of every write under a lease: it also locks the run's row until the
    transaction ends, so that nobody takes the run over meanwhile, and acknowledges what a
    collection has announced.

    Raises:
        FencedError: The run has a newer epoch, or is gone, or garbage was collected without it.
    """
    facts = {"run": lease.key, "epoch": lease.epoch, "now": session.now()}
    fenced = session.query("fence", facts)
    if fenced:
        sweeps: int = fenced[0]["sweeps_seen"]
        return sweeps
    name = f"run '{lease.flow}/{lease.run_id}'"
    found = session.query("lease", {"run": lease.key})
    if not found:
        raise FencedError(f"{name} was deleted")
    if found[0]["epoch"] != lease.epoch:
        raise FencedError(f"{name} was taken over by {found[0]['host']}, process {found[0]['pid']}")
    if not Status(found[0]["status"]).is_terminal:
        raise FencedError(
            f"{name} was silent for so long that it was taken for dead, and blobs that it may "
            "need were deleted meanwhile: resume it"
        )
    return None


def _end(session: Session, lease: RunLease, ended: Sequence[AttemptOutcome]) -> None:
    new = [outcome for outcome in ended if _end_one(session, lease, outcome)]
    written = chain.from_iterable(rows.artifact_rows(lease.key, outcome) for outcome in new)
    session.execute_many("insert_artifact", written)
    reads = chain.from_iterable(rows.read_rows(lease.key, outcome) for outcome in new)
    session.execute_many("insert_read", reads)
    commit_outcomes(session, lease, new)
    insert_traces(session, new)
    # With the traces: whoever waits finds either the claim or the result.
    session.execute_many(
        "delete_claims_of_task",
        ({"run": lease.key, "task_id": outcome.task_id} for outcome in ended),
    )


def _end_one(session: Session, lease: RunLease, outcome: AttemptOutcome) -> bool:
    """End one attempt; False when it had ended already, and nothing of it may change."""
    row = rows.outcome_row(lease.key, outcome)
    if session.execute("end_attempt", row):
        return True
    if not session.query("has_attempt", row):
        raise InternalError(
            f"attempt {outcome.attempt} of task '{lease.flow}/{lease.run_id}/{outcome.step}/"
            f"{outcome.task_id}' ended but was never started"
        )
    return False


def _start(session: Session, lease: RunLease, started: Sequence[NewTask]) -> None:
    now = session.now()
    tasks = [rows.task_row(lease.key, new, now) for new in started]
    session.execute_many("insert_task", tasks)
    session.execute_many(
        "insert_task_input",
        (
            {"run": lease.key, "task_id": new.task_id, "input_id": input_id}
            for new in started
            for input_id in new.inputs
        ),
    )
    session.execute_many("insert_attempt", tasks)


def _change_tags(
    session: Session, run: int, added: Sequence[str], removed: Sequence[str]
) -> tuple[str, ...]:
    before = session.query("tags", {"run": run})
    system = {row["tag"] for row in before if row["is_system"]}
    kept = system.intersection(removed)
    if kept:
        raise TaggingError(f"system tags can't be removed: {', '.join(sorted(kept))}")
    session.execute_many("delete_tag", ({"run": run, "tag": tag} for tag in removed))
    session.execute_many("insert_tag", ({"run": run, "tag": tag, "is_system": 0} for tag in added))
    after = session.query("tags", {"run": run})
    tags = tuple(sorted(row["tag"] for row in after if not row["is_system"]))
    _check_count(len(tags))
    return tags


def _check_count(count: int) -> None:
    if count > MAX_USER_TAGS:
        raise TaggingError(f"a run can have {MAX_USER_TAGS} user tags, not {count}")
