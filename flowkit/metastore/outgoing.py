"""Reading all rows of one run, for another store."""

from collections.abc import Iterator, Mapping, Sequence

from flowkit.enums import Status
from flowkit.exceptions import ConflictError, NotFoundError
from flowkit.metastore import rows
from flowkit.metastore.database import Params, Session, Snapshots
from flowkit.metastore.lease import LockDirectory
from flowkit.metastore.removal import at_or_below
from flowkit.model.transfer import COLUMNS, RUN_COLUMNS, Row, RunRows

_AT_ONCE = 500
"""How many values one statement is given: databases have limits."""
_PARTS_OF_TASK = 4
_OF_RUN = ("tag", "task", "attempt", "artifact", "read", "pin", "output")


class SqlRunSource:
    """The `RunSource` of every SQL database."""

    def __init__(self, snapshots: Snapshots, locks: LockDirectory) -> None:
        self._snapshots = snapshots
        self._locks = locks

    def rows(self, flow: str, run_id: str) -> RunRows:
        """Return everything that is known of a run; see `RunSource.rows`."""

        def work(session: Session) -> RunRows:
            return self._read(session, flow, run_id)

        found = self._snapshots.read(work)
        if found.run["status"] != Status.RUNNING:
            return found
        # Its driver may have ended it, properly, after the snapshot and before its lock was looked
        # at. What is still running in a second snapshot was dead in the first.
        found = self._snapshots.read(work)
        if found.run["status"] != Status.RUNNING:
            return found
        return RunRows({**found.run, "status": Status.CRASHED.value}, found.tables)

    def close(self) -> None:
        """Close the connection. May be repeated."""
        self._snapshots.close()

    def _read(self, session: Session, flow: str, run_id: str) -> RunRows:
        found = session.query("run_to_copy", {"flow": flow, "run_id": run_id})
        if not found:
            raise NotFoundError(f"run '{flow}/{run_id}' does not exist")
        row = found[0]
        silence = int(session.now() - row["heartbeat"])
        if row["status"] == Status.RUNNING and self._locks.is_alive(
            row["token"], rows.holder(row), silence
        ):
            raise ConflictError(
                f"run '{flow}/{run_id}' is running ({rows.holder(row)}): copy it when it has ended"
            )
        run = {column: row[column] for column in RUN_COLUMNS}
        return RunRows(run, _tables(session, row["key"], f"{flow}/{run_id}", row["origin_run_id"]))


def _tables(
    session: Session, key: int, pathspec: str, origin_run_id: str | None
) -> Mapping[str, Sequence[Row]]:
    tables = {name: _table(session, name, {"run": key}) for name in _OF_RUN}
    tables["annotation"] = [
        {**row, "subject": row["subject"].removeprefix(pathspec)}
        for row in _table(session, "annotation", at_or_below(pathspec))
    ]
    keys = [row["key"] for row in session.query("version_rows", {"run": key})]
    tables["version"] = _table(session, "version", {"run": key})
    ids = [row["id"] for row in tables["version"]]
    for name, listed, values in (
        ("version_tag", "keys", keys),
        ("version_annotation", "ids", ids),
        ("alias", "keys", keys),
    ):
        tables[name] = [
            row
            for start in range(0, len(values), _AT_ONCE)
            for row in _table(session, name, {listed: values[start : start + _AT_ONCE]})
        ]
    origins = {row["origin"] for row in tables["attempt"]} - {None}
    runs = {run for run in map(origin_run, origins) if run is not None}
    if origin_run_id is not None:
        runs.add((pathspec.partition("/")[0], origin_run_id))
    tables["origin"] = list(_origins(session, runs))
    return tables


def origin_run(origin: str) -> tuple[str, str] | None:
    """Return flow and id of the run that a task belongs to; None if this is no pathspec of one."""
    parts = origin.split("/")
    return (parts[0], parts[1]) if len(parts) == _PARTS_OF_TASK else None


def _table(session: Session, name: str, params: Params) -> list[Row]:
    found = session.query(f"{name}_rows", params)
    return [{column: row[column] for column in COLUMNS[name]} for row in found]


def _origins(session: Session, runs: set[tuple[str, str]]) -> Iterator[Row]:
    """Yield the tokens of runs that results were taken from: those that are still there."""
    for flow, run_id in sorted(runs):
        for row in session.query("lease_of", {"flow": flow, "run_id": run_id}):
            yield {"flow": flow, "run_id": run_id, "token": row["token"]}
