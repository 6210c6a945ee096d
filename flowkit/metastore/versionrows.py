"""Artifact versions to rows and rows to records."""

import json
from binascii import b2a_base64
from collections.abc import Iterable, Mapping, Sequence

from flowkit.content.manifests import stored_ref
from flowkit.enums import ArtifactType
from flowkit.metastore.database import Row, Session
from flowkit.metastore.rows import to_json
from flowkit.model.versions import (
    AliasMove,
    AnnotationRecord,
    NameRecord,
    Pin,
    Producer,
    Publication,
    VersionRecord,
)


def version_row(publication: Publication) -> dict[str, object]:
    """Return the parameters of a version, without what the database gives it."""
    ref = publication.ref
    return {
        "digest": ref.digest,
        "content": ref.content,
        "preview": ref.preview,
        "materializer": ref.materializer,
        "type": ref.type,
        "size": ref.size,
        "inline": None if ref.inline is None else b2a_base64(ref.inline, newline=False).decode(),
        "artifact_type": publication.artifact_type.value,
        "attribute": publication.attribute,
        "code": publication.code,
    }


def annotation_rows(
    session: Session, subject: str, values: Mapping[str, object], user: str
) -> Iterable[dict[str, object]]:
    """Yield a row per entry of the metadata of one thing; they come after those that are there."""
    (last,) = session.query("last_annotation", {"subject": subject})
    now = session.now()
    for position, (name, value) in enumerate(values.items(), start=last["position"] + 1):
        yield {
            "subject": subject,
            "position": position,
            "name": name,
            "value": to_json(value),
            "user": user,
            "now": now,
        }


def version_records(session: Session, rows: Sequence[Row]) -> list[VersionRecord]:
    """Return the versions of a result, with their tags, aliases and metadata."""
    if not rows:
        return []
    keys = [row["key"] for row in rows]
    tags: dict[int, list[str]] = {}
    for row in session.query("tags_of_versions", {"keys": keys}):
        tags.setdefault(row["version"], []).append(row["tag"])
    aliases: dict[int, list[str]] = {}
    for row in session.query("aliases_of_versions", {"keys": keys}):
        aliases.setdefault(row["version"], []).append(row["alias"])
    metadata: dict[str, dict[str, object]] = {}
    for row in session.query("annotations_of", {"subjects": [row["id"] for row in rows]}):
        metadata.setdefault(row["subject"], {})[row["name"]] = json.loads(row["value"])
    return [
        _version_record(
            row,
            tags=tuple(tags.get(row["key"], ())),
            aliases=tuple(aliases.get(row["key"], ())),
            metadata=metadata.get(row["id"], {}),
        )
        for row in rows
    ]


def _version_record(
    row: Row, *, tags: tuple[str, ...], aliases: tuple[str, ...], metadata: Mapping[str, object]
) -> VersionRecord:
    return VersionRecord(
        key=row["key"],
        id=row["id"],
        name=row["name"],
        version=row["version"],
        number=row["number"],
        ref=stored_ref(row),
        artifact_type=ArtifactType(row["artifact_type"]),
        attribute=row["attribute"],
        code=row["code"],
        producer=_producer(row),
        user=row["user_name"],
        created_at=row["created_at"],
        tags=tags,
        aliases=aliases,
        metadata=metadata,
        deleted_at=row["deleted_at"],
        deleted_by=row["deleted_by"],
    )


def _producer(row: Row) -> Producer | None:
    if row["run"] is None:
        return None
    return Producer(row["flow"], row["run_id"], row["step"], row["task_id"], row["attempt"])


def name_record(row: Row, latest: str | None) -> NameRecord:
    """Return one named artifact."""
    return NameRecord(row["name"], row["created_at"], int(row["versions"]), latest, row["next"])


def alias_move(row: Row) -> AliasMove:
    """Return one move of an alias."""
    return AliasMove(row["alias"], row["version"], row["user_name"], row["created_at"])


def annotation_record(row: Row) -> AnnotationRecord:
    """Return one entry of the metadata of something."""
    value = json.loads(row["value"])
    return AnnotationRecord(row["name"], value, row["user_name"], row["created_at"])


def pin(row: Row) -> Pin:
    """Return what one external artifact of a run stands for."""
    return Pin(row["attribute"], row["digest"], row["version_id"], row["label"])
