"""Schema versions: which one a store has, who may use it, and the scripts that lead to the next."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from flowkit.exceptions import MetadataError, SchemaTooNew
from flowkit.metastore.database import Session
from flowkit.metastore.statements import split_script

SCHEMA_VERSION = 6
"""The schema that this code reads and writes: the highest number in ``schema/``."""
SCHEMA_DIRECTORY = Path(__file__).parent / "schema"


@dataclass(frozen=True, slots=True)
class Migration:
    """The statements that lead from the schema before to this version."""

    version: int
    statements: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Level:
    """The schema of a store, and what it takes to use it.

    ``release`` is the first release of flowkit that may read and write it.
    """

    version: int
    min_reader: int
    min_writer: int
    release: str


def load_migrations(directory: Path = SCHEMA_DIRECTORY) -> Sequence[Migration]:
    """Return the migrations of a directory of files ``NNNN_words.sql``, in order."""
    return [
        Migration(int(path.name[:4]), split_script(path.read_text(encoding="utf-8")))
        for path in sorted(directory.glob("[0-9][0-9][0-9][0-9]_*.sql"))
    ]


def read_level(session: Session) -> Level:
    """Return the level of a store that has a schema."""
    row = session.query("level", {})[0]
    return Level(row["version"], row["min_reader"], row["min_writer"], row["release"])


def check_readable(level: Level, store: str) -> None:
    """Raise unless this code can read a store of this level.

    Raises:
        SchemaTooNew: A newer flowkit wrote it and says that older ones can't read it.
        MetadataError: It has an older schema, which the next writer will bring up to date.
    """
    if level.min_reader > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"{store} was written by a newer flowkit: needs flowkit >= {level.release} to be read"
        )
    if level.version < SCHEMA_VERSION:
        raise MetadataError(f"{store} was written by an older flowkit: the next run updates it")


def check_writable(level: Level, store: str) -> None:
    """Raise `SchemaTooNew` when a newer flowkit says that older ones may not write this store."""
    if level.min_writer > SCHEMA_VERSION:
        raise SchemaTooNew(
            f"{store} was written by a newer flowkit: needs flowkit >= "
            f"{level.release} to be written; it may still be readable"
        )
