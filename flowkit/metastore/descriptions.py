"""What every metadata database can tell about itself to those who look after it."""

from flowkit.metastore.database import Session
from flowkit.metastore.migrations import SCHEMA_VERSION, Level
from flowkit.model.findings import Finding, MetadataDescription

_COUNTED = ("flows", "runs", "tasks", "attempts", "artifacts")


def description(session: Session, database: str, level: Level | None) -> MetadataDescription:
    """Return the description of a store.

    Args:
        session: An open transaction.
        database: Name and version of the database program.
        level: The level of the store; None when there is none yet.
    """
    if level is None:
        return MetadataDescription(database, 0, SCHEMA_VERSION)
    row = session.query("store", {})[0]
    return MetadataDescription(
        database=database,
        schema=level.version,
        known_schema=SCHEMA_VERSION,
        uuid=row["uuid"],
        created_at=row["created_at"],
        counts={kind: row[kind] for kind in _COUNTED},
    )


def schema_finding(level: Level | None) -> Finding:
    """Return what is to be said about the schema of a store."""
    if level is None:
        return Finding("schema", "there is no store yet: run 'flowkit store init'", "warning")
    if level.min_writer > SCHEMA_VERSION:
        needed = f"needs flowkit >= {level.release} to be written"
        return Finding("schema", f"version {level.version} is too new: {needed}", "error", 7)
    if level.version < SCHEMA_VERSION:
        advice = f"this flowkit uses {SCHEMA_VERSION}: run 'flowkit store migrate'"
        return Finding("schema", f"version {level.version} is old; {advice}", "warning")
    return Finding("schema", f"version {level.version}")
