"""Garbage collection as rows: what refers to blobs, which are being deleted, and by whom."""

import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence

from flowkit.content.manifests import stored_ref
from flowkit.exceptions import ConflictError, FencedError
from flowkit.metastore import rows
from flowkit.metastore.database import Row, Session, Snapshots, Transactions
from flowkit.metastore.lease import LockDirectory, RunLock, this_process
from flowkit.metastore.removal import deletable, users_of
from flowkit.model.garbage import Buried, Roots, RunRoot, VersionRoot, announcement
from flowkit.model.records import RunLease

_LOCK = "collector"
_ALL = {"after": 0, "keys": []}


class SqlSweepGuard:
    """The `SweepGuard` of every SQL database."""

    def __init__(self, transactions: Transactions, locks: LockDirectory) -> None:
        self._transactions = transactions
        self._locks = locks

    def pin(self, lease: RunLease, digests: Collection[str]) -> None:
        """Keep blobs alive; see `SweepGuard.pin`."""

        def work(session: Session) -> None:
            # First of all, as `bury` does: one of the two sees what the other one wrote.
            session.query("lock_sweeps", {})
            session.execute_many(
                "insert_blob_pin", ({"digest": one, "run": lease.key} for one in digests)
            )

        self._transactions.write(work)

    def sweeps(self) -> int:
        """Return the store's counter of collections; see `SweepGuard.sweeps`."""

        def work(session: Session) -> int:
            return int(session.query("counters", {})[0]["sweeps"])

        return self._transactions.write(work)

    def buried(self, digests: Collection[str]) -> Buried:
        """Return which are being deleted; see `SweepGuard.buried`."""

        def work(session: Session) -> Buried:
            found = {row["digest"] for row in session.query("tombstones", {})}
            there = found.intersection(digests)
            is_abandoned = bool(there) and not _is_at_work(session, self._locks)
            return Buried(there, is_abandoned)

        return self._transactions.write(work)

    def adopt(self, erase: Callable[[Collection[str]], None]) -> None:
        """Finish what a dead collector had begun; see `SweepGuard.adopt`."""
        collector = SqlCollector(self._transactions, self._locks)
        try:
            collector.begin()
        except ConflictError:
            return
        try:
            buried = collector.abandoned()
            erase(buried)
            collector.dig_up(buried)
        finally:
            collector.retire()


class SqlInventory:
    """The `Inventory` of every SQL database."""

    def __init__(self, snapshots: Snapshots, locks: LockDirectory) -> None:
        self._snapshots = snapshots
        self._locks = locks

    def roots(self) -> Roots:
        """Return everything that refers to blobs; see `Inventory.roots`."""
        return self._snapshots.read(lambda session: _roots(session, self._locks))

    def users_of(self, flow: str, run_id: str) -> Sequence[str]:
        """Return what refers to a run; see `Inventory.users_of`."""

        def work(session: Session) -> Sequence[str]:
            return users_of(session, deletable(session, self._locks, flow, run_id))

        return self._snapshots.read(work)

    def close(self) -> None:
        """Close the connection. May be repeated."""
        self._snapshots.close()


class SqlCollector:
    """The `Collector` of every SQL database."""

    def __init__(self, transactions: Transactions, locks: LockDirectory) -> None:
        self._transactions = transactions
        self._locks = locks
        self._token = os.urandom(16).hex()
        self._lock: RunLock | None = None
        self._sweeps = 0
        self._since: dict[str, object] = {}
        self._newest_version = 0

    def begin(self) -> None:
        """Take the right to delete; see `Collector.begin`."""
        dead = self._transactions.write(lambda session: _dead_collector(session, self._locks))
        lock = self._locks.take(_LOCK)
        if lock is None:
            raise ConflictError("another process of this machine is collecting garbage now")
        try:
            self._transactions.write(lambda session: self._sign_in(session, dead))
        except BaseException:
            lock.give_back()
            raise
        self._lock = lock

    def abandoned(self) -> Sequence[str]:
        """Return what a dead collector had buried; see `Collector.abandoned`."""

        def work(session: Session) -> Sequence[str]:
            self._sign(session)
            return [row["digest"] for row in session.query("tombstones", {})]

        return self._transactions.write(work)

    def announce(self) -> None:
        """Tell the drivers; see `Collector.announce`."""

        def work(session: Session) -> None:
            self._sign(session)
            session.execute("drop_blob_pins", {})
            now: int = session.query("lock_sweeps", {})[0]["sweeps"]
            self._sweeps = announcement(now)
            session.execute("set_sweeps", {"sweeps": self._sweeps})

        self._transactions.write(work)

    def unacknowledged(self) -> Sequence[str]:
        """Return the runs that have not seen it; see `Collector.unacknowledged`."""

        def work(session: Session) -> Sequence[str]:
            self._sign(session)
            return [
                f"{row['flow']}/{row['run_id']}"
                for row in _running(session, self._locks)
                if row["sweeps_seen"] < self._sweeps
            ]

        return self._transactions.write(work)

    def open(self) -> Roots:
        """Begin to delete; see `Collector.open`."""

        def work(session: Session) -> Roots:
            self._sign(session)
            session.query("lock_sweeps", {})
            session.execute("set_sweeps", {"sweeps": self._sweeps + 1})
            newest = session.query("counters", {})[0]
            # Also those whose drivers seem to be dead: they may be taken over.
            keys = [row["key"] for row in session.query("running_runs", {})]
            self._since = {"after": newest["runs"], "keys": keys}
            self._newest_version = newest["versions"]
            return _roots(session, self._locks)

        return self._transactions.write(work)

    def bury(
        self, digests: Collection[str], reached: Callable[[Roots], Collection[str]]
    ) -> set[str]:
        """Mark blobs as being deleted; see `Collector.bury`."""

        def work(session: Session) -> set[str]:
            self._sign(session)
            session.query("lock_sweeps", {})
            added = _roots(session, self._locks, self._since, self._newest_version)
            garbage = set(digests).difference(reached(added), added.pinned)
            now = session.now()
            session.execute_many(
                "insert_tombstone", ({"digest": one, "now": now} for one in sorted(garbage))
            )
            return garbage

        return self._transactions.write(work)

    def dig_up(self, digests: Collection[str]) -> None:
        """Remove the marks of blobs that are deleted; see `Collector.dig_up`."""

        def work(session: Session) -> None:
            self._sign(session)
            session.execute_many("delete_tombstone", ({"digest": one} for one in digests))

        self._transactions.write(work)

    def retire(self) -> None:
        """Give the right back and leave the counter as it is."""
        self._transactions.write(
            lambda session: session.execute("delete_collector", {"token": self._token})
        )
        self._give_back()

    def finish(self) -> None:
        """Tell drivers that all is calm; see `Collector.finish`."""

        def work(session: Session) -> None:
            self._sign(session)
            session.execute("set_sweeps", {"sweeps": self._sweeps + 2})
            session.execute("delete_collector", {"token": self._token})

        self._transactions.write(work)
        self._give_back()

    def close(self) -> None:
        """Give back what is held and close the connection; see `Collector.close`."""
        self._give_back()
        self._transactions.close()

    def _sign_in(self, session: Session, dead: str) -> None:
        session.execute("delete_collector", {"token": dead})
        here = this_process()
        facts = {
            "token": self._token,
            "now": session.now(),
            "host": here.host,
            "boot_id": here.boot_id,
            "pid": here.pid,
            "pid_start": here.pid_start,
        }
        session.execute("insert_collector", facts)
        # Nothing was inserted when somebody else has been faster.
        for row in session.query("collector", {}):
            if row["token"] != self._token:
                raise _is_collected(row)

    def _sign(self, session: Session) -> None:
        """Say that this collector is alive; nobody may have taken its place."""
        facts = {"token": self._token, "now": session.now()}
        if not session.execute("collector_sign", facts):
            raise FencedError("another process has taken the garbage collection over")

    def _give_back(self) -> None:
        # The file stays: with a name that comes and goes, two could hold "the" lock.
        lock, self._lock = self._lock, None
        if lock is not None:
            lock.give_back()


def _dead_collector(session: Session, locks: LockDirectory) -> str:
    """Return the token of a collector that has died, "" when there is none."""
    for row in session.query("collector", {}):
        if locks.is_alive(_LOCK, rows.holder(row), _silence(session, row)):
            raise _is_collected(row)
        return str(row["token"])
    return ""


def _is_collected(row: Row) -> ConflictError:
    since = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(row["started_at"] / 1e6))
    return ConflictError(f"garbage is collected by {rows.holder(row)} already, since {since} UTC")


def _is_at_work(session: Session, locks: LockDirectory) -> bool:
    return any(
        locks.is_alive(_LOCK, rows.holder(row), _silence(session, row))
        for row in session.query("collector", {})
    )


def _silence(session: Session, row: Row) -> int:
    return int(session.now() - row["heartbeat"])


def _running(session: Session, locks: LockDirectory) -> Iterator[Row]:
    """Yield the runs that somebody drives."""
    for row in session.query("running_runs", {}):
        if locks.is_alive(row["token"], rows.holder(row), _silence(session, row)):
            yield row


def _roots(
    session: Session,
    locks: LockDirectory,
    since: dict[str, object] | None = None,
    newest_version: int = 0,
) -> Roots:
    """Return what refers to blobs: all of it, or what may have been added since then."""
    which = since or _ALL
    running = list(_running(session, locks))
    manifests: dict[int, set[str]] = {}
    for row in session.query("manifest_roots", which):
        manifests.setdefault(row["run"], set()).add(row["manifest"])
    keys = [row["key"] for row in running]
    return Roots(
        runs=[
            RunRoot(
                row["key"],
                row["flow"],
                row["run_id"],
                (row["root"], *sorted(manifests.get(row["key"], ()))),
            )
            for row in session.query("run_roots", which)
        ],
        versions=[
            VersionRoot(f"{row['name']}@{row['version']}", stored_ref(row))
            for row in session.query("version_roots", {"after": newest_version})
        ],
        pinned={row["digest"] for row in session.query("blob_pins", {"keys": keys})},
        running_since=min((row["created_at"] for row in running), default=None),
        now=session.now(),
    )
