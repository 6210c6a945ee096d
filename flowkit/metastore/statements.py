"""The named statements of ``statements.sql``, and how their parameters are bound."""

import re
from collections.abc import Mapping
from pathlib import Path

from flowkit.metastore.database import Params

_HERE = Path(__file__).parent
_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load_statements() -> Mapping[str, str]:
    """Return every statement by its name."""
    _, *parts = _NAME.split((_HERE / "statements.sql").read_text(encoding="utf-8"))
    bodies = (split_script(body)[0] for body in parts[1::2])
    return dict(zip(parts[0::2], bodies, strict=True))


def split_script(script: str) -> tuple[str, ...]:
    """Return the statements of a script; each ends with ``;`` at the end of a line."""
    code = "\n".join(line for line in script.splitlines() if not line.startswith("--"))
    parts = (part.strip() for part in re.split(r";$", code, flags=re.MULTILINE))
    return tuple(part for part in parts if part)


def bind(statement: str, params: Params) -> tuple[str, dict[str, object]]:
    """Return the statement with one parameter per item of every list, and its values."""
    bound: dict[str, object] = {}
    for name, value in params.items():
        if not isinstance(value, list):
            bound[name] = storable(value)
            continue
        items = {f"{name}_{index}": storable(item) for index, item in enumerate(value)}
        places = ", ".join(f":{item}" for item in items) or "NULL"
        statement = re.sub(rf":{name}\b", places, statement)
        bound.update(items)
    return statement, bound


def storable(value: object) -> object:
    """Return the value as every database takes it: no NUL and no lone surrogate in a text.

    These two are escaped with a backslash, so that an odd name never stops a commit.
    """
    if not isinstance(value, str) or (value.isascii() and "\0" not in value):
        return value
    return value.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
