"""What people are told about a store: its description, and what a check of it found."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

State = Literal["ok", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check looked at.

    Attributes:
        subject: What was looked at, in a word or two.
        message: What was found and, unless it is well, what to do.
        state: "warning" is for what works and yet may surprise.
        exit_code: That of the error, 0 when there is none.
    """

    subject: str
    message: str
    state: State = "ok"
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class MetadataDescription:
    """A metadata store as it is now.

    Attributes:
        database: Name and version of the database program.
        schema: The version of its schema; 0 when there is no store yet.
        known_schema: The version that this code reads and writes.
        uuid: The identity of the store.
        created_at: UTC microseconds.
        counts: How many rows there are, by kind.
    """

    database: str
    schema: int
    known_schema: int
    uuid: str = ""
    created_at: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
