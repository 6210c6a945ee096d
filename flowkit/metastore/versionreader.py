"""Reading artifact versions, and who made and used them: each call sees one snapshot."""

import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from flowkit.metastore import rows, versionrows
from flowkit.metastore.database import Row, Session, Snapshots
from flowkit.model.manifest import Read
from flowkit.model.records import ArtifactRecord
from flowkit.model.versions import (
    AliasMove,
    AnnotationRecord,
    NameRecord,
    Output,
    Pin,
    Use,
    VersionQuery,
    VersionRecord,
)

_NEWEST = 2**31 - 1
"""Above every key of a version."""
DIRECT = "artifact:"
"""Before the id of a version in the token of a read that named the version itself."""


class SqlVersionReader:
    """The `VersionReader` of every SQL database."""

    def __init__(self, snapshots: Snapshots) -> None:
        self._snapshots = snapshots

    def names(self, *, after: str = "", limit: int = 100) -> Sequence[NameRecord]:
        """Return named artifacts; see `VersionReader.names`."""
        params = {"after": after, "limit": limit}
        return self._snapshots.read(
            lambda session: _names(session, session.query("artifact_names", params))
        )

    def name(self, name: str) -> NameRecord | None:
        """Return one named artifact; see `VersionReader.name`."""
        found = self._snapshots.read(
            lambda session: _names(session, session.query("artifact_named", {"name": name}))
        )
        return found[0] if found else None

    def versions(
        self, query: VersionQuery, *, before: int | None = None, limit: int = 100
    ) -> Sequence[VersionRecord]:
        """Return versions, newest first; see `VersionReader.versions`."""
        tags = sorted({unicodedata.normalize("NFC", tag) for tag in query.tags})
        params = {
            "name": query.name,
            "version": query.version,
            "artifact_type": "" if query.artifact_type is None else query.artifact_type.value,
            "with_deleted": int(query.with_deleted),
            "tag": next(iter(tags), None),
            "tags": tags,
            "tag_count": len(tags),
            "before": _NEWEST if before is None else before,
            "limit": limit,
        }
        name = "tagged_versions" if tags else "versions"
        return self._records("versions_of_name" if query.name else name, params)

    def find(self, name: str, version: str) -> VersionRecord | None:
        """Return one version; see `VersionReader.find`."""
        return _first(self._records("version_named", {"name": name, "version": version}))

    def highest(self, name: str) -> VersionRecord | None:
        """Return the version with the highest number; see `VersionReader.highest`."""
        return _first(self._records("version_highest", {"name": name}))

    def at_alias(self, name: str, alias: str) -> VersionRecord | None:
        """Return the version at an alias; see `VersionReader.at_alias`."""
        return _first(self._records("version_at_alias", {"name": name, "alias": alias}))

    def with_id(self, prefix: str, *, limit: int = 10) -> Sequence[VersionRecord]:
        """Return versions by the beginning of their id; see `VersionReader.with_id`."""
        # Ids are hexadecimal: "g" comes behind everything that can follow.
        params = {"prefix": prefix, "end": f"{prefix}g", "limit": limit}
        return self._records("versions_with_prefix", params)

    def outputs(self, flow: str, run_id: str) -> Sequence[Output]:
        """Return the versions that a run's tasks published; see `VersionReader.outputs`."""

        def work(session: Session) -> Sequence[Output]:
            found = session.query("outputs_of_run", {"flow": flow, "run_id": run_id})
            records = versionrows.version_records(session, found)
            return [
                Output(row["by_task"], row["by_attempt"], row["by_attribute"], record)
                for row, record in zip(found, records, strict=True)
            ]

        return self._snapshots.read(work)

    def alias_moves(self, name: str) -> Sequence[AliasMove]:
        """Return the history of a name's aliases; see `VersionReader.alias_moves`."""
        return [versionrows.alias_move(row) for row in self._query("alias_moves", {"name": name})]

    def annotations(self, subject: str) -> Sequence[AnnotationRecord]:
        """Return the metadata of something; see `VersionReader.annotations`."""
        found = self._query("annotations_of", {"subjects": [subject]})
        return [versionrows.annotation_record(row) for row in found]

    def pins(self, flow: str, run_id: str) -> Sequence[Pin]:
        """Return the pins of a run; see `VersionReader.pins`."""
        found = self._query("pins", {"flow": flow, "run_id": run_id})
        return [versionrows.pin(row) for row in found]

    def pinned_by(self, version_id: str) -> Sequence[str]:
        """Return the runs that pinned a version; see `VersionReader.pinned_by`."""
        return self._snapshots.read(lambda session: pinned_by(session, version_id))

    def uses(self, version_id: str) -> Sequence[Use]:
        """Return who read a version; see `VersionReader.uses`."""
        return self._snapshots.read(lambda session: uses(session, version_id))

    def reads(self, flow: str, run_id: str, task_id: int, attempt: int) -> Sequence[Read]:
        """Return what an attempt read; see `VersionReader.reads`."""
        params = {"flow": flow, "run_id": run_id, "task_id": task_id, "attempt": attempt}
        return [Read(row["token"], row["digest"]) for row in self._query("reads", params)]

    def readers(self, flow: str, run_id: str, name: str, digest: str) -> Sequence[Use]:
        """Return who read an artifact of a run; see `VersionReader.readers`."""

        def work(session: Session) -> Sequence[Use]:
            leased = session.query("lease_of", {"flow": flow, "run_id": run_id})
            if not leased:
                return []
            params = {"digest": digest, "keys": [leased[0]["key"]]}
            found = session.query("readers_in_runs", params)
            return [
                _use(row, row["token"]) for row in found if names_attribute(row["token"], {name})
            ]

        return self._snapshots.read(work)

    def writers(self, flow: str, run_id: str, name: str, digest: str) -> Sequence[ArtifactRecord]:
        """Return who wrote an artifact of a run; see `VersionReader.writers`."""
        params = {"flow": flow, "run_id": run_id, "name": name, "digest": digest}
        return [rows.artifact_record(row) for row in self._query("writers_in_run", params)]

    def origins(self, flow: str, run_id: str) -> Sequence[str]:
        """Return the tasks whose results a run took over; see `VersionReader.origins`."""
        params = {"flow": flow, "run_id": run_id}
        return [row["origin"] for row in self._query("origins_of_run", params)]

    def _query(self, name: str, params: Mapping[str, object]) -> Sequence[Row]:
        return self._snapshots.read(lambda session: session.query(name, params))

    def _records(self, name: str, params: Mapping[str, object]) -> Sequence[VersionRecord]:
        return self._snapshots.read(
            lambda session: versionrows.version_records(session, session.query(name, params))
        )


def _first(records: Sequence[VersionRecord]) -> VersionRecord | None:
    return records[0] if records else None


def _names(session: Session, found: Sequence[Row]) -> list[NameRecord]:
    keys = [row["newest"] for row in found if row["newest"] is not None]
    texts = session.query("version_texts", {"keys": keys})
    latest = {row["key"]: row["version"] for row in texts}
    return [versionrows.name_record(row, latest.get(row["newest"])) for row in found]


# --- who used a version ---------------------------------------------------------------------------


def pinned_by(session: Session, version_id: str) -> list[str]:
    """Return the pathspecs of the runs that pinned a version."""
    return [
        f"{row['flow']}/{row['run_id']}" for row in session.query("pinned_by", {"id": version_id})
    ]


def uses(session: Session, version_id: str) -> list[Use]:
    """Return who read a version, and who took over the results of those."""
    found = session.query("versions_with_prefix", _exactly(version_id))
    if not found:
        return []
    digest = found[0]["digest"]
    attributes: dict[int, set[str]] = {}
    for place in session.query("places_of_version", {"id": version_id}):
        attributes.setdefault(place["run"], set()).add(place["attribute"])
    inside = session.query("readers_in_runs", {"digest": digest, "keys": list(attributes)})
    direct = session.query("readers_by_token", {"digest": digest, "token": DIRECT + version_id})
    readers = [row for row in inside if names_attribute(row["token"], attributes[row["run"]])]
    return _with_followers(session, [*readers, *direct])


def _exactly(version_id: str) -> dict[str, object]:
    return {"prefix": version_id, "end": f"{version_id}g", "limit": 1}


def _with_followers(session: Session, readers: Sequence[Row]) -> list[Use]:
    """Return one use per attempt, in the order of runs and tasks: readers and their followers."""
    by_attempt: dict[tuple[int, int, int], Use] = {}
    for row in readers:
        by_attempt.setdefault(_attempt(row), _use(row, row["token"]))
    tokens = {use.pathspec: use.token for use in by_attempt.values()}
    for row in session.query("attempts_from_origins", {"origins": list(tokens)}):
        by_attempt.setdefault(_attempt(row), _use(row, tokens[row["origin"]]))
    return [by_attempt[attempt] for attempt in sorted(by_attempt)]


def _attempt(row: Row) -> tuple[int, int, int]:
    return row["run"], row["task_id"], row["attempt"]


def _use(row: Row, token: str) -> Use:
    is_cached = row["origin"] is not None
    place = (row["flow"], row["run_id"], row["step"], row["task_id"], row["attempt"])
    return Use(*place, token, is_cached)


def names_attribute(token: str, attributes: Iterable[str]) -> bool:
    """Whether a read's token is about one of these attributes: ``attr:x``, ``inputs:3:x``, ..."""
    kind, _, name = token.partition(":")
    if kind == "inputs":
        name = name.partition(":")[2]
    return kind in ("attr", "inputs", "merge") and name in attributes
