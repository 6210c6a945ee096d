"""Claims as rows: who computes which result now; a claim is worth as much as its run's lease."""

from collections.abc import Mapping, Sequence

from flowkit.enums import Status
from flowkit.metastore import rows
from flowkit.metastore.database import Row, Session
from flowkit.metastore.lease import LockDirectory
from flowkit.model.records import RunLease


def claim_results(
    session: Session, locks: LockDirectory, lease: RunLease, wanted: Mapping[int, Sequence[str]]
) -> Mapping[int, str]:
    """Claim what tasks are about to compute; see `TraceWriter.claim`."""
    held: dict[int, str] = {}
    # In one order for all drivers: two that want the same keys can't wait for each other's rows.
    for key, task_id in sorted((key, task_id) for task_id, keys in wanted.items() for key in keys):
        if task_id not in held:
            holder = _claim(session, locks, lease, {"key": key, "task_id": task_id})
            if holder is not None:
                held[task_id] = holder
    session.execute_many(
        "delete_claims_of_task", ({"run": lease.key, "task_id": task_id} for task_id in held)
    )
    return held


def _claim(
    session: Session, locks: LockDirectory, lease: RunLease, what: Mapping[str, object]
) -> str | None:
    """Take one claim; return the run that holds it, None when it is ours now."""
    own = {**what, "run": lease.key, "epoch": lease.epoch}
    while True:
        if session.execute("insert_claim", own):
            return None
        found = session.query("claim_holder", what)
        if not found:
            continue  # given back between the two statements
        row = found[0]
        if (row["claimed_by"], row["claimed_in"]) == (lease.key, lease.epoch):
            return None
        if _is_alive(session, locks, row):
            return f"{row['flow']}/{row['run_id']}"
        before = {"claimed_by": row["claimed_by"], "claimed_in": row["claimed_in"]}
        if session.execute("take_claim", {**own, **before}):
            return None  # otherwise somebody else took it, or gave it back: look again


def _is_alive(session: Session, locks: LockDirectory, row: Row) -> bool:
    """Whether the run that holds a claim goes on, with the driver that made it."""
    if row["status"] != Status.RUNNING or row["epoch"] != row["claimed_in"]:
        return False
    silence = session.now() - row["heartbeat"]
    return locks.is_alive(row["token"], rows.holder(row), silence)
