"""Taking in runs of other stores: hidden at first, then whole in one transaction."""

import json
import time
from collections.abc import Mapping, Sequence

from flowkit.exceptions import ConflictError, FencedError
from flowkit.metastore import rows as records
from flowkit.metastore.database import Row as Found
from flowkit.metastore.database import Session, Transactions
from flowkit.metastore.incomingversions import insert_versions
from flowkit.metastore.lease import LockDirectory, RunLock, this_process
from flowkit.metastore.outgoing import origin_run
from flowkit.metastore.sweeping import SqlSweepGuard
from flowkit.model.artifactnames import number_of
from flowkit.model.records import RunLease
from flowkit.model.transfer import Clash, Place, Presence, RunName, RunRows
from flowkit.ports.sweeping import SweepGuard

_ARRIVING = 0
"""The time of deletion of a run that is hidden since it is not whole yet."""


class SqlRunSink:
    """The `RunSink` of every SQL database; holds the locks of the runs that it takes in."""

    def __init__(self, transactions: Transactions, locks: LockDirectory) -> None:
        self.sweeping: SweepGuard = SqlSweepGuard(transactions, locks)
        self._transactions = transactions
        self._locks = locks
        self._held: dict[str, RunLock] = {}

    def find(self, names: Sequence[RunName]) -> Sequence[Place]:
        """Return for each run what is known of it; see `RunSink.find`."""
        return self._transactions.write(lambda session: [_find(session, name) for name in names])

    def begin(self, name: RunName) -> RunLease | None:
        """Hide a run in the store; see `RunSink.begin`."""
        found = self._transactions.write(lambda session: self._begun(session, name))
        if found is not None and found["deleted_at"] is None:
            return None
        lock = self._locks.take(name.token)
        if lock is None:
            raise ConflictError(f"run '{name.pathspec}' is being copied by another process now")
        try:
            lease = self._transactions.write(lambda session: _begin(session, name, found))
        except BaseException:
            lock.give_back()
            raise
        self._held[name.token] = lock
        return lease

    def heartbeat(self, lease: RunLease) -> int:
        """Say that the copying goes on; see `RunSink.heartbeat`."""
        return self._transactions.write(lambda session: _fence(session, lease))

    def land(self, lease: RunLease, rows: RunRows, clash: Clash) -> str:
        """Let the run appear; see `RunSink.land`."""
        pathspec = self._transactions.write(lambda session: _land(session, lease, rows, clash))
        self._drop_lock(lease)
        return pathspec

    def give_up(self, lease: RunLease) -> None:
        """Take the hidden run away; see `RunSink.give_up`."""

        def work(session: Session) -> None:
            if _is_arriving(session, lease):
                session.execute("delete_blob_pins", {"run": lease.key})
                session.execute("delete_arrival", {"run": lease.key})

        self._transactions.write(work)
        self._drop_lock(lease)

    def close(self) -> None:
        """Give back what is held and close the connection; see `RunSink.close`."""
        while self._held:
            self._held.popitem()[1].give_back()
        self._transactions.close()

    def _begun(self, session: Session, name: RunName) -> Found | None:
        """Return the row of the run, if it is whole or somebody has begun to copy it."""
        found = session.query("run_with_token", {"token": name.token})
        if not found:
            return None
        row = found[0]
        if row["deleted_at"] not in (None, _ARRIVING):
            raise ConflictError(
                f"run '{name.pathspec}' was deleted here by {row['deleted_by']}, but for what "
                "versions of its artifacts say of their source: it can't be copied again"
            )
        holder = records.holder(row)
        silence = int(session.now() - row["heartbeat"])
        is_copied = row["deleted_at"] == _ARRIVING
        if is_copied and self._locks.is_alive(name.token, holder, silence):
            since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(row["created_at"] / 1e6))
            raise ConflictError(
                f"run '{name.pathspec}' is being copied by {holder}, since {since} UTC: if that "
                "has died, try again in a minute"
            )
        return row

    def _drop_lock(self, lease: RunLease) -> None:
        lock = self._held.pop(lease.token, None)
        if lock is not None:
            lock.remove()


def _find(session: Session, name: RunName) -> Place:
    found = session.query("run_with_token", {"token": name.token})
    if found and found[0]["deleted_at"] is None:
        return Place(Presence.WHOLE, f"{name.flow}/{found[0]['run_id']}")
    is_taken = session.query("lease_of", {"flow": name.flow, "run_id": name.run_id})
    return Place(Presence.TAKEN if is_taken else Presence.ABSENT, name.pathspec)


def _begin(session: Session, name: RunName, before: Found | None) -> RunLease:
    here = this_process()
    facts = {
        "flow": name.flow,
        "run_id": f".{name.token}",
        "token": name.token,
        "now": session.now(),
        "host": here.host,
        "boot_id": here.boot_id,
        "pid": here.pid,
        "pid_start": here.pid_start,
    }
    there = session.query("run_with_token", {"token": name.token})
    if not there:
        session.execute("ensure_flow", facts)
        counters = session.query("next_run_key", {})[0]
        key, sweeps = counters["runs"], counters["sweeps"]
        session.execute("insert_arrival", {**facts, "run": key, "sweeps": sweeps})
        return RunLease(name.flow, name.run_id, key, name.token, 1, sweeps)
    row = there[0]
    key, epoch = row["key"], row["epoch"]
    if records.holder(row) == here and (before is None or epoch > before["epoch"]):
        # The connection broke after an earlier try had been committed.
        return RunLease(name.flow, name.run_id, key, name.token, epoch, row["sweeps_seen"])
    sweeps = session.query("counters", {})[0]["sweeps"]
    seen = {"run": key, "epoch": epoch, "heartbeat": row["heartbeat"], "sweeps": sweeps}
    is_same = before is not None and before["epoch"] == epoch
    if not is_same or not session.execute("take_over", {**facts, **seen}):
        raise ConflictError(f"run '{name.pathspec}' is being copied by somebody else since now")
    return RunLease(name.flow, name.run_id, key, name.token, epoch + 1, sweeps)


def _fence(session: Session, lease: RunLease) -> int:
    """Return the store's counter of collections; lock the run, so that nobody takes it over."""
    facts = {"run": lease.key, "epoch": lease.epoch, "now": session.now()}
    fenced = session.query("fence", facts)
    if not fenced:
        raise FencedError(
            f"copying run '{lease.flow}/{lease.run_id}' was silent for so long that it was taken "
            "for dead: try again"
        )
    sweeps: int = fenced[0]["sweeps_seen"]
    return sweeps


def _is_arriving(session: Session, lease: RunLease) -> bool:
    found = session.query("run_with_token", {"token": lease.token})
    return bool(found) and (found[0]["deleted_at"], found[0]["epoch"]) == (_ARRIVING, lease.epoch)


def _land(session: Session, lease: RunLease, rows: RunRows, clash: Clash) -> str:
    there = session.query("run_with_token", {"token": lease.token})
    if there and there[0]["deleted_at"] is None:
        return f"{lease.flow}/{there[0]['run_id']}"  # an earlier try had been committed
    _fence(session, lease)
    # In this order, as drivers do: the run, its flow, the store.
    session.execute("lock_flow", {"flow": lease.flow})
    run_id = _chosen_id(session, rows.name, clash)
    session.execute("lock_versions", {})
    origins = _origins(session, rows)
    run = {"run": lease.key}
    origin = origins.get((lease.flow, rows.run["origin_run_id"]))
    session.execute(
        "show_run", {**rows.run, **run, "run_id": run_id, "origin_run_id": origin and origin[1]}
    )
    session.execute("delete_blob_pins", run)
    pathspec = f"{lease.flow}/{run_id}"
    _insert_tables(session, rows, run, pathspec, origins)
    insert_versions(session, rows, lease.key, clash)
    return pathspec


def _chosen_id(session: Session, name: RunName, clash: Clash) -> str:
    """Return the run's id here, and see to it that no later run gets it."""
    if not session.query("lease_of", {"flow": name.flow, "run_id": name.run_id}):
        number = number_of(name.run_id)
        if number is not None:
            session.execute("raise_runs", {"flow": name.flow, "number": number})
        return name.run_id
    if clash is Clash.REFUSE:
        raise ConflictError(
            f"another run is '{name.pathspec}' there already: give this one the next free number "
            "with --renumber, or leave it out"
        )
    facts = {"flow": name.flow, "now": session.now()}
    return str(session.query("next_run_of_flow", facts)[0]["runs"])


def _origins(session: Session, rows: RunRows) -> Mapping[tuple[str, str], tuple[str, str]]:
    """Return what the runs are called here that results were taken from.

    Those whose names mean other runs here are left out.
    """
    found: dict[tuple[str, str], tuple[str, str]] = {}
    for row in rows.tables["origin"]:
        named = (row["flow"], row["run_id"])
        there = session.query("run_with_token", {"token": row["token"]})
        if there and there[0]["deleted_at"] != _ARRIVING:
            found[named] = (row["flow"], there[0]["run_id"])
        elif not session.query("lease_of", {"flow": named[0], "run_id": named[1]}):
            found[named] = named
    return found


def _insert_tables(
    session: Session,
    rows: RunRows,
    run: Mapping[str, int],
    pathspec: str,
    origins: Mapping[tuple[str, str], tuple[str, str]],
) -> None:
    tables = rows.tables
    session.execute_many("insert_tag", ({**run, **row} for row in tables["tag"]))
    session.execute_many(
        "insert_task", ({**run, **row, "now": row["created_at"]} for row in tables["task"])
    )
    session.execute_many(
        "insert_task_input",
        (
            {**run, "task_id": row["task_id"], "input_id": input_id}
            for row in tables["task"]
            for input_id in json.loads(row["inputs"])
        ),
    )
    session.execute_many(
        "insert_past_attempt",
        ({**run, **row, "origin": _renamed(row["origin"], origins)} for row in tables["attempt"]),
    )
    session.execute_many("insert_artifact", ({**run, **row} for row in tables["artifact"]))
    session.execute_many("insert_read", ({**run, **row} for row in tables["read"]))
    session.execute_many(
        "insert_annotation",
        (
            {
                **row,
                "subject": pathspec + row["subject"],
                "user": row["user_name"],
                "now": row["created_at"],
            }
            for row in tables["annotation"]
        ),
    )


def _renamed(origin: str | None, origins: Mapping[tuple[str, str], tuple[str, str]]) -> str | None:
    """Return the pathspec of a task that a result was taken from as it is here."""
    run = None if origin is None else origin_run(origin)
    if origin is None or run is None or run not in origins:
        return None
    return "/".join([*origins[run], *origin.split("/")[2:]])
