"""Checking the rows of a run that come from elsewhere: what is refused here never gets further."""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flowkit.content.hashing import is_digest
from flowkit.enums import ArtifactType, Cause, Status
from flowkit.exceptions import IntegrityError, InvalidNameError
from flowkit.model.artifactnames import check_alias, check_name, check_version, number_of
from flowkit.model.pathspec import (
    check_artifact,
    check_identifier,
    check_run_id,
    check_tag,
    parse_pathspec,
)
from flowkit.model.transfer import COLUMNS, RUN_COLUMNS, RunRows

_HEX = re.compile(r"[0-9a-f]{32}")
_INLINE = re.compile(r"[A-Za-z0-9+/]*={0,2}")
_SMALL, _LARGE = 2**31 - 1, 2**63 - 1
Check = Callable[[Any], object]
"""Returns a value that is false, or raises, when something is not what it should be."""


def check_rows(rows: RunRows) -> None:
    """Make sure that rows can be stored and read, and name nothing that they must not.

    Raises:
        IntegrityError: They are not the rows of one run; the message says what is wrong where.
    """
    _check_row("run", rows.run, dict(zip(RUN_COLUMNS, _RUN, strict=True)))
    _require("the tables", rows.tables.keys() == COLUMNS.keys())
    for name, columns in COLUMNS.items():
        checks = dict(zip(columns, _CHECKS[name], strict=True))
        for row in rows.tables[name]:
            _check_row(name, row, checks)
    _check_references(rows)


def _check_row(table: str, row: Mapping[str, Any], checks: Mapping[str, Check]) -> None:
    _require(f"the columns of '{table}'", row.keys() == checks.keys())
    for column, check in checks.items():
        try:
            is_fine = check(row[column])
        except (ValueError, TypeError, KeyError, RecursionError, InvalidNameError):
            is_fine = False
        _require(f"'{column}' of '{table}'", bool(is_fine))


def _check_references(rows: RunRows) -> None:
    """Make sure that rows refer to each other, each is there once, and lists have no end."""
    tables = rows.tables
    tasks = _unique(tables, "task", "task_id")
    attempts = _unique(tables, "attempt", "task_id", "attempt")
    versions = _unique(tables, "version", "id")
    _require("the tasks of 'attempt'", {(key[0],) for key in attempts} == tasks)
    for name in ("artifact", "read", "output"):
        placed = {(row["task_id"], row["attempt"]) for row in tables[name]}
        _require(f"the attempts of '{name}'", placed <= attempts)
    made = {(row["task_id"], row["attempt"]) for row in tables["version"]}
    _require("the attempts of 'version'", made - {(None, None)} <= attempts)
    numbers = all(row["number"] == number_of(row["version"]) for row in tables["version"])
    _require("'number' of 'version'", numbers)
    for name in ("pin", "output", "version_tag", "version_annotation", "alias"):
        named = {(row["version"],) for row in tables[name]} - {(None,)}
        _require(f"the versions of '{name}'", named <= versions)
    _unique(tables, "version", "name", "version")
    _unique(tables, "artifact", "task_id", "attempt", "name")
    _unique(tables, "read", "task_id", "attempt", "position")
    _unique(tables, "annotation", "subject", "position")
    _unique(tables, "version_annotation", "version", "position")
    _unique(tables, "pin", "attribute")
    _unique(tables, "output", "task_id", "attempt", "version")


def _unique(tables: Mapping[str, Sequence[Any]], name: str, *columns: str) -> set[tuple[Any, ...]]:
    keys = [tuple(row[column] for column in columns) for row in tables[name]]
    found = set(keys)
    _require(f"the keys of '{name}'", len(found) == len(keys))
    return found


def _require(what: str, is_fine: bool) -> None:
    if not is_fine:
        raise IntegrityError(f"{what} can't be right: this is no run that flowkit has written")


# --- what one value may be ------------------------------------------------------------------------


def _text(value: Any) -> bool:
    return type(value) is str


def _line(value: Any) -> bool:
    return type(value) is str and value.isprintable()


def _small(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _SMALL


def _large(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _LARGE


def _flag(value: Any) -> bool:
    return type(value) is int and value in (0, 1)


def _hex(value: Any) -> bool:
    return _text(value) and _HEX.fullmatch(value) is not None


def _optional(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _named(check: Callable[[str], str]) -> Check:
    """Let a text through that is a name, as it is: one that would have to be changed is none."""
    return lambda value: _text(value) and check(value) == value


def _attribute(value: Any) -> bool:
    return value == "" or (_text(value) and check_artifact(value) == value)


def _status(value: Any) -> bool:
    return _text(value) and Status(value) is not Status.CREATED


def _ended(value: Any) -> bool:
    return _text(value) and Status(value).is_terminal


def _inline(value: Any) -> bool:
    return _text(value) and len(value) % 4 == 0 and _INLINE.fullmatch(value) is not None


def _subject(value: Any) -> bool:
    return value == "" or (_text(value) and parse_pathspec(f"Flow/1{value}").step is not None)


def _origin(value: Any) -> bool:
    return _text(value) and parse_pathspec(value, 4) is not None


def _json(value: Any) -> bool:
    return _text(value) and (json.loads(value), True)[1]


def _json_object(value: Any) -> bool:
    return _text(value) and type(json.loads(value)) is dict


def _inputs(value: Any) -> bool:
    listed = json.loads(value)
    return type(listed) is list and all(map(_large, listed))


def _frames(value: Any) -> bool:
    listed = json.loads(value)
    return type(listed) is list and all(map(_frame, listed))


def _frame(fields: Any) -> bool:
    step, variable, index, count, (digest, materializer, kind, size, inline) = fields
    return (
        all(map(_text, (step, materializer, kind)))
        and _optional(_text)(variable) is not False
        and all(map(_large, (index, count, size)))
        and is_digest(digest)
        and bool(_optional(_inline)(inline))
    )


def _error(value: Any) -> bool:
    fields = json.loads(value)
    texts = (fields.pop("cause"), fields.pop("message"), fields.pop("type"))
    flags = (fields.pop("is_charged"), fields.pop("is_retryable"))
    is_right = all(map(_text, texts)) and all(type(flag) is bool for flag in flags)
    return is_right and _text(fields.pop("traceback")) and not fields and bool(Cause(texts[0]))


_RUN: Sequence[Check] = (
    _named(check_identifier), _named(check_run_id), _hex, _ended, _line, is_digest, _large,
    _optional(_large), _optional(_named(check_run_id)), _json_object, _line, _line, _large, _line,
    _small, _large,
)  # fmt: skip
_VERSION: Sequence[Check] = (
    _hex, _named(check_name), _named(check_version), _optional(_large), is_digest,
    _optional(is_digest), _optional(is_digest), _line, _line, _large, _optional(_inline),
    ArtifactType, _attribute, _line, _optional(_large), _optional(_small), _line, _large,
    _optional(_large), _optional(_line),
)  # fmt: skip
_CHECKS: Mapping[str, Sequence[Check]] = {
    "tag": (_named(check_tag), _flag),
    "task": (
        _large, _named(check_identifier), _large, _frames, _small, _inputs, _optional(_small),
    ),
    "attempt": (
        _large, _small, _status, _optional(is_digest), _optional(_error), _large,
        _optional(_large), _large, _large, _optional(_origin),
    ),
    "artifact": (
        _large, _small, _small, _named(check_artifact), is_digest, _line, _line, _large, _large,
    ),
    "read": (_large, _small, _small, _text, _optional(is_digest)),
    "annotation": (_subject, _small, _text, _json, _line, _large),
    "pin": (_attribute, _optional(_hex), is_digest, _line),
    "output": (_large, _small, _hex, _attribute),
    "version": _VERSION,
    "version_tag": (_hex, _named(check_tag)),
    "version_annotation": (_hex, _small, _text, _json, _line, _large),
    "alias": (_hex, _named(check_alias), _line, _large),
    "origin": (_named(check_identifier), _named(check_run_id), _hex),
}  # fmt: skip
