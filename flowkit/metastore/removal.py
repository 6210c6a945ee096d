"""Deleting runs from the metadata."""

from collections.abc import Sequence

from flowkit.enums import Status
from flowkit.exceptions import ConflictError, NotFoundError, RunInUseError
from flowkit.metastore import rows
from flowkit.metastore.database import Params, Row, Session, Transactions
from flowkit.metastore.lease import LockDirectory

_LISTED = 10
"""How many users of a run a message names."""
_ROWS_OF_VALUES = ("delete_reads", "delete_artifacts", "delete_version_outputs", "delete_attempts")
_ROWS_OF_TASKS = ("delete_task_inputs", "delete_tasks", "delete_tags", "delete_run_pins")


class SqlRunRemover:
    """The `RunRemover` of every SQL database."""

    def __init__(self, transactions: Transactions, locks: LockDirectory) -> None:
        self._transactions = transactions
        self._locks = locks

    def remove(self, flow: str, run_id: str, user: str, *, force: bool = False) -> str:
        """Delete a run; see `RunRemover.remove`."""

        def work(session: Session) -> str:
            # Versions and runs are made under the same lock: nobody begins to refer to the run.
            session.query("lock_sweeps", {})
            row = deletable(session, self._locks, flow, run_id)
            users = users_of(session, row)
            if users and not force:
                raise RunInUseError(_in_use(f"{flow}/{run_id}", users), users)
            _delete(session, row, user)
            return str(row["token"])

        return self._transactions.write(work)

    def close(self) -> None:
        """Close the connection. May be repeated."""
        self._transactions.close()


def deletable(session: Session, locks: LockDirectory, flow: str, run_id: str) -> Row:
    """Return the row of a run that has ended and that no running run resumes.

    Raises:
        NotFoundError: There is no such run.
        ConflictError: It is running, or a running run resumes it.
    """
    found = session.query("run_to_delete", {"flow": flow, "run_id": run_id})
    if not found:
        raise NotFoundError(f"run '{flow}/{run_id}' does not exist")
    row = found[0]
    if _is_running(session, locks, row):
        raise ConflictError(
            f"run '{flow}/{run_id}' is running ({rows.holder(row)}): stop it before deleting it"
        )
    for other in session.query("resumed_by", {"flow": flow, "run_id": run_id}):
        if _is_running(session, locks, other):
            raise ConflictError(
                f"run '{flow}/{run_id}' is being resumed by run '{flow}/{other['run_id']}', which "
                "is running"
            )
    return row


def users_of(session: Session, row: Row) -> Sequence[str]:
    """Return what refers to a run, as people read it."""
    run = {"run": row["key"]}
    place = {"flow": row["flow"], "run_id": row["run_id"]}
    return [
        *(f"alias {a['name']}@{a['alias']}" for a in session.query("aliases_from_run", run)),
        *(f"version {v['name']}@{v['version']}" for v in session.query("versions_from_run", run)),
        *(
            f"run {other['flow']}/{other['run_id']}, which resumed it"
            for other in session.query("resumed_by", place)
        ),
    ]


def _is_running(session: Session, locks: LockDirectory, row: Row) -> bool:
    silence = int(session.now() - row["heartbeat"])
    is_open = not Status(row["status"]).is_terminal
    return is_open and locks.is_alive(row["token"], rows.holder(row), silence)


def _delete(session: Session, row: Row, user: str) -> None:
    """Delete the rows of a run but for those that versions name as their source."""
    run = {"run": row["key"]}
    for name in _ROWS_OF_VALUES:
        session.execute(name, run)
    session.execute("empty_attempts", run)
    for name in _ROWS_OF_TASKS:
        session.execute(name, run)
    session.execute("delete_blob_pins", run)
    pathspec = f"{row['flow']}/{row['run_id']}"
    session.execute("delete_annotations", at_or_below(pathspec))
    if session.query("sources_in_run", run)[0]["found"]:
        session.execute("mark_run_deleted", {**run, "user": user, "now": session.now()})
    else:
        session.execute("delete_run", run)


def _in_use(run: str, users: Sequence[str]) -> str:
    more = f" and {len(users) - _LISTED} more" if len(users) > _LISTED else ""
    return (
        f"run '{run}' is used by {', '.join(users[:_LISTED])}{more}: it can only be deleted by "
        "force"
    )


def at_or_below(pathspec: str) -> Params:
    """Return what finds the annotations of a run and of all in it.

    By length, and not as a range: that would depend on how the database compares texts.
    """
    return {"subject": pathspec, "below": f"{pathspec}/", "length": len(pathspec) + 1}
