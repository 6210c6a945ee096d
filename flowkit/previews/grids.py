"""What previews hold as cells and texts; a stored text that is no table is never an error."""

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from flowkit.ports.materializer import Visualization

_ROWS = 50  # of a CSV text


@dataclass(frozen=True, slots=True)
class Grid:
    """Names of columns, rows of texts, and a sentence below them, perhaps empty."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    note: str = ""


def grid_of(shown: Visualization) -> Grid | None:
    """Return a table's cells, or the first lines of a CSV text; None if it is no table."""
    text = shown.data if isinstance(shown.data, str) else ""
    if shown.kind == "csv":
        return _from_csv(text)
    return _from_table(text) if shown.kind == "table" else None


def known_text(value: object) -> str:
    """Return a value of the automatic metadata as people write it."""
    if isinstance(value, Mapping):
        if len(value) == 1 and (name := next(iter(value))).startswith("$"):
            return str(value[name])
        return ", ".join(f"{name} {known_text(part)}" for name, part in value.items())
    if isinstance(value, list):
        return ", ".join(map(known_text, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _from_table(text: str) -> Grid | None:
    try:
        document = json.loads(text)
        columns = [str(name) for name in document["columns"]]
        rows = [[str(cell) for cell in row] for row in document["rows"]]
        return Grid(columns, rows, str(document.get("note", "")))
    except (TypeError, ValueError, KeyError, AttributeError, RecursionError):
        return None


def _from_csv(text: str) -> Grid | None:
    try:
        lines = list(islice(csv.reader(io.StringIO(text)), _ROWS + 2))
    except csv.Error:
        return None
    if not lines:
        return None
    columns, *rows = lines
    note = f"the first {_ROWS} rows" if len(rows) > _ROWS else ""
    return Grid(columns, rows[:_ROWS], note)
