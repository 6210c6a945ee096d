"""Taking in the versions of artifacts that come with a run of another store."""

from collections.abc import Mapping, Sequence

from flowkit.exceptions import VersionExistsError
from flowkit.metastore.database import Row as Found
from flowkit.metastore.database import Session
from flowkit.model.transfer import Clash, Row, RunRows


def insert_versions(session: Session, rows: RunRows, run: int, clash: Clash) -> None:
    """Insert the versions that are not there yet, and what the run has to do with them.

    Args:
        session: A transaction that holds the lock on versions and has the run's attempts.
        rows: What the run has.
        run: The run's key here.
        clash: What to do with a number that is taken.

    Raises:
        VersionExistsError: A version of the same name and number has other content.
    """
    labels: dict[str, tuple[str, str]] = {}
    keys: dict[str, int] = {}
    new: dict[str, Row] = {}
    for row in rows.tables["version"]:
        same = _with_id(session, row["id"])
        known = same or _equal(session, row)
        if known is None:
            keys[row["id"]], text = _insert(session, row, run, clash)
            labels[row["id"]] = (f"{row['name']}@{row['version']}", f"{row['name']}@{text}")
            new[row["id"]] = row
            continue
        keys[row["id"]] = known["key"]
        if same is not None and row["task_id"] is not None:
            # It came before, with a run that had pinned it.
            session.execute("set_version_source", {**row, "run": run, "key": same["key"]})
    _insert_facts(session, rows, keys, new)
    session.execute_many(
        "insert_version_output",
        ({**row, "run": run, "version": keys[row["version"]]} for row in rows.tables["output"]),
    )
    session.execute_many(
        "insert_pin_of_key", [_pin(row, run, keys, labels) for row in rows.tables["pin"]]
    )


def _with_id(session: Session, version_id: str) -> Found | None:
    facts = {"prefix": version_id, "end": f"{version_id}g", "limit": 1}
    return next(iter(session.query("versions_with_prefix", facts)), None)


def _equal(session: Session, row: Row) -> Found | None:
    """Return the version of the same name and number, if it has the same content."""
    for found in session.query("version_named", row):
        identity = found["content"] or found["digest"]
        if identity == (row["content"] or row["digest"]) and found["deleted_at"] is None:
            return found
    return None


def _insert(session: Session, row: Row, run: int, clash: Clash) -> tuple[int, str]:
    """Insert a version and return its key and its text here."""
    facts = {**row, "now": row["created_at"], "user": row["user_name"]}
    version, number = row["version"], row["number"]
    if session.query("version_named", row):
        if clash is Clash.REFUSE or number is None:
            raise _taken(row)
        number = session.query("next_number", facts)[0]["number"]
        version = str(number)
    else:
        session.execute("ensure_name", {**facts, "next": 1 if number is None else number + 1})
    key: int = session.query("next_version_key", {})[0]["versions"]
    place = {"run": None if row["task_id"] is None else run}
    session.execute(
        "insert_version", {**facts, **place, "key": key, "version": version, "number": number}
    )
    if row["deleted_at"] is not None:
        gone = {"id": row["id"], "user": row["deleted_by"], "now": row["deleted_at"]}
        session.execute("delete_version", gone)
    return key, version


def _taken(row: Row) -> VersionExistsError:
    label = f"{row['name']}@{row['version']}"
    advice = "" if row["number"] is None else "give this one the next free number with --renumber, "
    return VersionExistsError(
        f"artifact version {label} is there already with other content: {advice}or leave the run "
        "out that has it"
    )


def _insert_facts(
    session: Session, rows: RunRows, keys: Mapping[str, int], new: Mapping[str, Row]
) -> None:
    """Insert tags, metadata and aliases of the versions that are new here."""
    session.execute_many(
        "insert_version_tag",
        ({**row, "version": keys[row["version"]]} for row in _of(new, rows.tables["version_tag"])),
    )
    session.execute_many(
        "insert_annotation",
        (
            {**row, "subject": row["version"], "user": row["user_name"], "now": row["created_at"]}
            for row in _of(new, rows.tables["version_annotation"])
        ),
    )
    for row in _of(new, rows.tables["alias"]):
        alias = {"name": new[row["version"]]["name"], "alias": row["alias"]}
        is_used = session.query("last_alias_move", alias)
        if is_used or session.query("version_named", {**alias, "version": row["alias"]}):
            continue
        move = {"position": 1, "user": row["user_name"], "now": row["created_at"]}
        session.execute("insert_alias_move", {**alias, **move, "version": keys[row["version"]]})


def _of(new: Mapping[str, Row], rows: Sequence[Row]) -> Sequence[Row]:
    return [row for row in rows if row["version"] in new]


def _pin(
    row: Row, run: int, keys: Mapping[str, int], labels: Mapping[str, tuple[str, str]]
) -> dict[str, object]:
    """Return the row of a pin; its label follows a version that has another number here."""
    before, after = labels.get(row["version"], ("", ""))
    label = after if row["label"] == before else row["label"]
    return {**row, "run": run, "version": keys.get(row["version"]), "label": label}
