"""Writing artifact versions: with the attempts that made them, and from outside of runs."""

import os
from collections.abc import Iterable, Mapping, Sequence

from flowkit.enums import Status
from flowkit.exceptions import (
    BlobMissing,
    InvalidNameError,
    NotFoundError,
    TaggingError,
    VersionExistsError,
    VersionInUseError,
)
from flowkit.metastore import versionrows
from flowkit.metastore.database import Row, Session, Transactions
from flowkit.metastore.rows import to_json
from flowkit.metastore.versionreader import pinned_by, uses
from flowkit.model.artifactnames import check_alias, check_name, check_version, number_of
from flowkit.model.pathspec import check_tag, parse_pathspec
from flowkit.model.records import AttemptOutcome, RunLease
from flowkit.model.versions import Annotation, Pin, Producer, Publication, VersionRecord
from flowkit.ports.versions import Lost, nothing_lost

MAX_TAGS = 50
_LISTED = 10
"""How many users of a version a message names."""


class SqlVersionWriter:
    """The `VersionWriter` of every SQL database."""

    def __init__(self, transactions: Transactions) -> None:
        self._transactions = transactions

    def publish(
        self,
        publication: Publication,
        user: str,
        lost: Lost = nothing_lost,
        producer: Producer | None = None,
    ) -> VersionRecord:
        """Make a version; see `VersionWriter.publish`."""
        # Chosen here, so that a transaction that is run again makes no second version.
        version_id = os.urandom(16).hex()

        def work(session: Session) -> VersionRecord:
            session.execute("lock_versions", {})
            found = session.query("versions_with_prefix", _exactly(version_id))
            if not found:
                _check_there(session, publication, lost)
                source = {**_place(session, producer), "user": user, "id": version_id}
                made = _mint(session, publication, source)
                found = session.query("versions_with_prefix", _exactly(made))
            return versionrows.version_records(session, found)[0]

        return self._transactions.write(work)

    def change_tags(
        self, version_id: str, add: Iterable[str], remove: Iterable[str]
    ) -> tuple[str, ...]:
        """Change the tags of a version; see `VersionWriter.change_tags`."""
        added = sorted({check_tag(tag) for tag in add})
        removed = sorted({check_tag(tag) for tag in remove})

        def work(session: Session) -> tuple[str, ...]:
            session.execute("lock_versions", {})
            key = _existing(session, version_id)["key"]
            session.execute_many(
                "delete_version_tag", ({"version": key, "tag": tag} for tag in removed)
            )
            session.execute_many(
                "insert_version_tag", ({"version": key, "tag": tag} for tag in added)
            )
            tags = [row["tag"] for row in session.query("tags_of_versions", {"keys": [key]})]
            _check_count(len(tags))
            return tuple(sorted(tags))

        return self._transactions.write(work)

    def move_alias(self, name: str, alias: str, version_id: str | None, user: str) -> None:
        """Move an alias; see `VersionWriter.move_alias`."""
        name, alias = check_name(name), check_alias(alias)

        def work(session: Session) -> None:
            session.execute("lock_versions", {})
            target = None
            if version_id is not None:
                row = _existing(session, version_id)
                if row["name"] != name:
                    raise NotFoundError(f"version {version_id} is one of '{row['name']}'")
                target = row["key"]
            if session.query("version_named", {"name": name, "version": alias}):
                raise InvalidNameError(f"'{alias}' is a version of '{name}': it can't be an alias")
            _move(session, {"name": name, "alias": alias}, target, user)

        self._transactions.write(work)

    def annotate(self, subject: str, values: Mapping[str, object], user: str) -> None:
        """Add metadata; see `VersionWriter.annotate`."""

        def work(session: Session) -> None:
            session.execute("lock_versions", {})
            _annotate(session, subject, values, user)

        self._transactions.write(work)

    def delete(self, version_id: str, user: str, *, force: bool = False) -> None:
        """Delete a version; see `VersionWriter.delete`."""

        def work(session: Session) -> None:
            session.execute("lock_versions", {})
            row = _existing(session, version_id)
            record = versionrows.version_records(session, [row])[0]
            used = [] if force else _used_by(session, record)
            if used:
                raise VersionInUseError(_in_use(record, used), used)
            for alias in record.aliases:
                _move(session, {"name": record.name, "alias": alias}, None, user)
            session.execute(
                "delete_version", {"id": version_id, "user": user, "now": session.now()}
            )

        self._transactions.write(work)


# --- with the attempts of a run -------------------------------------------------------------------


def commit_outcomes(session: Session, lease: RunLease, ended: Sequence[AttemptOutcome]) -> None:
    """Commit what attempts have published and logged, in the transaction that ends them.

    Args:
        session: That transaction.
        lease: The run.
        ended: Attempts that end in it for the first time.

    Raises:
        VersionExistsError: A version exists with other content.
    """
    concerned = [one for one in ended if one.publishes or one.annotations or one.origin]
    if not concerned:
        return
    # First of all: everybody takes this lock before those of names, so nobody waits in a circle.
    session.execute("lock_versions", {})
    user = session.query("user_of_run", {"run": lease.key})[0]["user_name"]
    for outcome in concerned:
        place = {"run": lease.key, "task_id": outcome.task_id, "attempt": outcome.attempt}
        if outcome.status is Status.SUCCEEDED:
            for publication in outcome.publishes:
                version_id = os.urandom(16).hex()
                _mint(session, publication, {**place, "user": user, "id": version_id})
        elif outcome.status is Status.CACHED and outcome.origin is not None:
            _take_over(session, place, outcome.origin)
            for publication in outcome.publishes:
                _relabel(session, publication, {**place, "user": user})
        for annotation in outcome.annotations:
            for subject in _subjects(session, lease.key, annotation):
                _annotate(session, subject, annotation.values, user)


def insert_pins(session: Session, run: int, pins: Iterable[Pin]) -> None:
    """Keep what the external artifacts of a new run stand for."""
    session.execute_many(
        "insert_pin",
        (
            {
                "run": run,
                "attribute": pin.attribute,
                "version_id": pin.version_id,
                "digest": pin.digest,
                "label": pin.label,
            }
            for pin in pins
        ),
    )


def _subjects(session: Session, run: int, annotation: Annotation) -> list[str]:
    """Return what metadata are about: the versions that an artifact is in this run, or itself."""
    if not annotation.digest:
        return [annotation.subject]
    place = {"run": run, "attribute": annotation.attribute, "digest": annotation.digest}
    found = session.query("versions_at_attribute", place)
    return [row["id"] for row in found] or [annotation.subject]


def _take_over(session: Session, place: Mapping[str, object], origin: str) -> None:
    """Link the versions of the task whose result was taken over."""
    address = parse_pathspec(origin, 4)
    session.execute(
        "copy_version_outputs",
        {
            **place,
            "origin_flow": address.flow,
            "origin_run_id": address.run,
            "origin_task_id": address.task,
        },
    )


def _relabel(session: Session, publication: Publication, source: Mapping[str, object]) -> None:
    """Let a result that was taken over have the name, version and labels that are wanted now."""
    wanted = {"name": publication.name, "attribute": publication.attribute}
    found = session.query("linked_version", {**source, **wanted})
    if publication.version not in (None, *(row["version"] for row in found)):
        found = []
    if not found and publication.version is None:
        digest = publication.ref.digest
        found = session.query("version_with_digest", {**wanted, "digest": digest})
    if not found:
        version_id = _mint(session, publication, {**source, "id": os.urandom(16).hex()})
        found = session.query("versions_with_prefix", _exactly(version_id))
    key, version_id = found[0]["key"], found[0]["id"]
    _link(session, key, publication, source)
    tags = [{"version": key, "tag": check_tag(tag)} for tag in publication.tags]
    session.execute_many("insert_version_tag", tags)
    # What was said of it before may have been put right since, by the step or by people.
    said = session.query("annotations_of", {"subjects": [version_id]})
    known = {(row["name"], row["value"]) for row in said}
    new = {k: v for k, v in publication.metadata.items() if (k, to_json(v)) not in known}
    _annotate(session, version_id, new, str(source["user"]))


def _place(session: Session, producer: Producer | None) -> Mapping[str, object]:
    if producer is None:
        return {"run": None, "task_id": None, "attempt": None}
    found = session.query("lease_of", {"flow": producer.flow, "run_id": producer.run_id})
    if not found:
        raise NotFoundError(f"run '{producer.flow}/{producer.run_id}' does not exist")
    return {"run": found[0]["key"], "task_id": producer.task_id, "attempt": producer.attempt}


def _mint(session: Session, publication: Publication, source: Mapping[str, object]) -> str:
    """Make a version, or find the one that is there already; return its id.

    Args:
        session: A transaction that holds the lock on versions.
        publication: What to make it of.
        source: Run, task and attempt (None for uploads), the user, and the new version's id.
    """
    name = check_name(publication.name)
    version = publication.version
    if version is not None:
        version = check_version(version)
        found = session.query("version_named", {"name": name, "version": version})
        if found:
            _check_same(found[0], publication)
            _link(session, found[0]["key"], publication, source)
            return str(found[0]["id"])
    row = {**source, **versionrows.version_row(publication), "now": session.now(), "name": name}
    number = _number(session, row, version)
    key = session.query("next_version_key", {})[0]["versions"]
    text = str(number) if version is None else version
    session.execute("insert_version", {**row, "key": key, "version": text, "number": number})
    tags = {check_tag(tag) for tag in publication.tags}
    _check_count(len(tags))
    session.execute_many("insert_version_tag", ({"version": key, "tag": tag} for tag in tags))
    _annotate(session, str(source["id"]), publication.metadata, str(source["user"]))
    _link(session, key, publication, source)
    return str(source["id"])


def _number(session: Session, row: Mapping[str, object], version: str | None) -> int | None:
    """Return the number of a new version, and see to it that nobody else ever gets it."""
    if version is None:
        number: int = session.query("next_number", row)[0]["number"]
        return number
    chosen = number_of(version)
    session.execute("ensure_name", {**row, "next": 1 if chosen is None else chosen + 1})
    return chosen


def _check_same(row: Row, publication: Publication) -> None:
    label = f"{row['name']}@{row['version']}"
    if row["deleted_at"] is not None:
        raise VersionExistsError(
            f"artifact version {label} was deleted by {row['deleted_by']}, and a version is never "
            "used again: choose another one"
        )
    if (row["content"] or row["digest"]) == publication.ref.identity:
        return
    maker = "uploaded" if row["run"] is None else f"made by {row['flow']}/{row['run_id']}"
    raise VersionExistsError(
        f"artifact version {label} exists already with other content, {maker}: versions never "
        "change, so choose another one"
    )


def _link(
    session: Session, key: int, publication: Publication, source: Mapping[str, object]
) -> None:
    if source["run"] is not None:
        attribute = publication.attribute
        session.execute("insert_version_output", {**source, "version": key, "attribute": attribute})


def _check_there(session: Session, publication: Publication, lost: Lost) -> None:
    """Raise `BlobMissing` if a collection of garbage has deleted a part of a value, or will."""
    # Whoever buries blobs waits for the lock on versions: it is one with that on the counter.
    sweeps = session.query("counters", {})[0]["sweeps"]
    buried = {row["digest"] for row in session.query("tombstones", {})}
    gone = lost(sweeps, buried)
    if gone:
        digest = min(gone)
        message = f"a part of '{publication.name}' was deleted before it was a version: {digest}"
        raise BlobMissing(message, digest=digest)


# --- pieces ---------------------------------------------------------------------------------------


def _annotate(session: Session, subject: str, values: Mapping[str, object], user: str) -> None:
    if values:
        rows = versionrows.annotation_rows(session, subject, values, user)
        session.execute_many("insert_annotation", list(rows))


def _move(session: Session, which: Mapping[str, object], target: int | None, user: str) -> None:
    last = session.query("last_alias_move", which)
    if (last[0]["version"] if last else None) == target:
        return
    position = last[0]["position"] + 1 if last else 1
    move = {"position": position, "version": target, "user": user, "now": session.now()}
    session.execute("insert_alias_move", {**which, **move})


def _existing(session: Session, version_id: str) -> Row:
    found = session.query("versions_with_prefix", _exactly(version_id))
    if not found:
        raise NotFoundError(f"there is no artifact version with id {version_id}")
    row = found[0]
    if row["deleted_at"] is not None:
        raise NotFoundError(
            f"artifact version {row['name']}@{row['version']} was deleted by {row['deleted_by']}"
        )
    return row


def _exactly(version_id: str) -> dict[str, object]:
    return {"prefix": version_id, "end": f"{version_id}g", "limit": 1}


def _used_by(session: Session, record: VersionRecord) -> list[str]:
    """Return what uses a version, as people read it."""
    producer = record.producer
    readers = [
        use.pathspec
        for use in uses(session, record.id)
        if producer is None or use.pathspec != producer.pathspec
    ]
    aliases = [f"alias '{alias}'" for alias in record.aliases]
    return [*aliases, *pinned_by(session, record.id), *readers]


def _in_use(record: VersionRecord, used: Sequence[str]) -> str:
    more = f" and {len(used) - _LISTED} more" if len(used) > _LISTED else ""
    return (
        f"artifact version {record.label} is used by {', '.join(used[:_LISTED])}{more}: it can "
        "only be deleted by force"
    )


def _check_count(count: int) -> None:
    if count > MAX_TAGS:
        raise TaggingError(f"an artifact version can have {MAX_TAGS} tags, not {count}")
