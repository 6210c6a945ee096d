"""A run on its way from one store to another: its rows, and what the other store knows of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

COLUMNS: Mapping[str, Sequence[str]] = {
    "tag": ("tag", "is_system"),
    "task": ("task_id", "step", "created_at", "frames", "iteration", "inputs", "gang_rank"),
    "attempt": (
        "task_id", "attempt", "status", "manifest", "error", "started_at", "finished_at",
        "log_start", "log_end", "origin",
    ),
    "artifact": (
        "task_id", "attempt", "position", "name", "digest", "materializer", "type", "size",
        "created_at",
    ),
    "read": ("task_id", "attempt", "position", "token", "digest"),
    "annotation": ("subject", "position", "name", "value", "user_name", "created_at"),
    "pin": ("attribute", "version", "digest", "label"),
    "output": ("task_id", "attempt", "version", "attribute"),
    "version": (
        "id", "name", "version", "number", "digest", "content", "preview", "materializer", "type",
        "size", "inline", "artifact_type", "attribute", "code", "task_id", "attempt", "user_name",
        "created_at", "deleted_at", "deleted_by",
    ),
    "version_tag": ("version", "tag"),
    "version_annotation": ("version", "position", "name", "value", "user_name", "created_at"),
    "alias": ("version", "alias", "user_name", "created_at"),
    "origin": ("flow", "run_id", "token"),
}  # fmt: skip
"""The tables of `RunRows` and their columns, as docs/format.md describes them."""
RUN_COLUMNS = (
    "flow", "run_id", "token", "status", "user_name", "root", "created_at", "finished_at",
    "origin_run_id", "info", "host", "boot_id", "pid", "pid_start", "epoch", "heartbeat",
)  # fmt: skip
"""The columns of the run itself."""

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RunName:
    """Which run is meant; the token stays the same in all stores that have the run."""

    flow: str
    run_id: str
    token: str

    @property
    def pathspec(self) -> str:
        """``Flow/run``."""
        return f"{self.flow}/{self.run_id}"


@dataclass(frozen=True, slots=True)
class RunRows:
    """Everything that the metadata say of one run that has ended, as rows of plain values.

    Versions of artifacts are named by their ids; what annotations are about by what comes after
    the run's own pathspec: "", or "/step/task", or "/step/task/artifact".

    Attributes:
        run: The run, by `RUN_COLUMNS`.
        tables: Rows by the name of their table; see `COLUMNS`.
    """

    run: Row
    tables: Mapping[str, Sequence[Row]]

    @property
    def name(self) -> RunName:
        """Which run it is."""
        return RunName(self.run["flow"], self.run["run_id"], self.run["token"])

    @property
    def manifests(self) -> Sequence[str]:
        """Digests of the root manifest and of those of the attempts, without repetition."""
        found = (row["manifest"] for row in self.tables["attempt"])
        return tuple(dict.fromkeys([self.run["root"], *filter(None, found)]))


class Clash(Enum):
    """What becomes of a run or a version whose number something else has in the other store."""

    REFUSE = "refuse"
    RENUMBER = "renumber"


class Presence(Enum):
    """What a store knows of a run that is to be copied into it."""

    ABSENT = "absent"
    WHOLE = "whole"
    """It is there; nothing is to be done."""
    TAKEN = "taken"
    """It is not, and another run has its id."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a store knows of a run, and the run's pathspec there (or the one that it asks for)."""

    presence: Presence
    pathspec: str
