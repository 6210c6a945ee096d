"""Tables in previews: names of columns, rows of short texts, and a sentence on what is left out."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from flowkit.ports.materializer import Visualization

LONGEST_CELL = 80
"""Characters of one cell."""
MOST_COLUMNS = 30
"""Columns of one table."""


def table(
    columns: Sequence[Any], rows: Iterable[Sequence[Any]], *, title: str = "", note: str = ""
) -> Visualization:
    """Return a table as a visualization.

    Args:
        columns: Names of the columns; those beyond `MOST_COLUMNS` are left out.
        rows: The cells, turned into text; few rows, as all of them are kept.
        title: What the table shows.
        note: A sentence below it.
    """
    if len(columns) > MOST_COLUMNS:
        note = f"{note}{' ' if note else ''}{len(columns) - MOST_COLUMNS:,} more columns"
    cells = [[cell(value) for value in row[:MOST_COLUMNS]] for row in rows]
    names = [cell(name) for name in columns[:MOST_COLUMNS]]
    document = {"columns": names, "rows": cells, **({"note": note} if note else {})}
    return Visualization("table", json.dumps(document), title)


def cell(value: Any) -> str:
    """Return the text of a cell: numbers short, texts cut, others by their type only."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, tuple):
        return f"({', '.join(cell(part) for part in value)})"
    if not isinstance(value, str):
        value = str(value)
    return value if len(value) <= LONGEST_CELL else f"{value[: LONGEST_CELL - 3]}..."
