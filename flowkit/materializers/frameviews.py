"""Describes frames, series and tables: rows, columns, types, missing values, the first rows."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flowkit.enums import ArtifactType
from flowkit.materializers.tables import table
from flowkit.ports.materializer import Visualization

_ENDS = 5  # rows at the beginning and at the end
_CELLS = 5_000_000  # of a larger frame only the first rows are counted in
_MOST_DESCRIBED = 200  # columns


class FrameDescriber:
    """Describes frames, series and indexes of pandas."""

    artifact_type = ArtifactType.DATA

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return rows, columns, types and missing values."""
        frame = _as_frame(value)
        counted = frame.iloc[: _countable(*frame.shape), :_MOST_DESCRIBED]
        missing = counted.isna().sum()
        names = [str(name) for name in counted.columns]
        return _summary(
            rows=len(frame),
            width=frame.shape[1],
            dtypes=dict(zip(names, map(str, counted.dtypes), strict=True)),
            nulls=dict(zip(names, map(int, missing), strict=True)),
            counted=len(counted),
        )

    def visualize(self, value: Any) -> Iterator[Visualization]:
        """Yield the first and last rows, and a row about each column."""
        frame = _as_frame(value)
        rows = len(frame)
        names = ["", *map(str, frame.columns)]
        ends = _ends(rows)
        cells = [[frame.index[row], *_row(frame, row)] for row in ends]
        yield table(names, cells, title="rows", note=_note(rows, len(ends)))
        yield _columns(frame.iloc[: _countable(*frame.shape), :_MOST_DESCRIBED])


class PolarsDescriber:
    """Describes frames and series of polars."""

    artifact_type = ArtifactType.DATA

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return rows, columns, types and missing values."""
        frame = value.to_frame() if hasattr(value, "to_frame") else value
        columns = frame.get_columns()[:_MOST_DESCRIBED]
        return _summary(
            rows=frame.height,
            width=frame.width,
            dtypes={column.name: str(column.dtype) for column in columns},
            nulls={column.name: column.null_count() for column in columns},
            counted=frame.height,
        )

    def visualize(self, value: Any) -> Iterator[Visualization]:
        """Yield the first and last rows."""
        frame = value.to_frame() if hasattr(value, "to_frame") else value
        ends = _ends(frame.height)
        cells = [frame.row(row) for row in ends]
        yield table(frame.columns, cells, title="rows", note=_note(frame.height, len(ends)))


class ArrowDescriber:
    """Describes tables of pyarrow."""

    artifact_type = ArtifactType.DATA

    def describe(self, value: Any) -> Mapping[str, Any]:
        """Return rows, columns, types and missing values."""
        names = value.column_names[:_MOST_DESCRIBED]
        return _summary(
            rows=value.num_rows,
            width=value.num_columns,
            dtypes={
                name: str(field.type) for name, field in zip(names, value.schema, strict=False)
            },
            nulls={name: value.column(i).null_count for i, name in enumerate(names)},
            counted=value.num_rows,
        )

    def visualize(self, value: Any) -> Iterator[Visualization]:
        """Yield the first and last rows."""
        ends = _ends(value.num_rows)
        columns = value.columns[:_MOST_DESCRIBED]
        cells = [[column[row].as_py() for column in columns] for row in ends]
        yield table(value.column_names, cells, title="rows", note=_note(value.num_rows, len(ends)))


def _summary(
    *, rows: int, width: int, dtypes: dict[str, str], nulls: dict[str, int], counted: int
) -> dict[str, Any]:
    summary = {"rows": rows, "columns": width, "dtypes": dtypes, "nulls": nulls}
    return summary if counted == rows else {**summary, "counted_rows": counted}


def _as_frame(value: Any) -> Any:
    import pandas as pd  # noqa: PLC0415 - loaded already, as the value is from pandas

    if isinstance(value, pd.Index):
        return value.to_frame(index=False)
    return value.to_frame() if isinstance(value, pd.Series) else value


def _countable(rows: int, width: int) -> int:
    return min(rows, _CELLS // max(1, min(width, _MOST_DESCRIBED)))


def _ends(rows: int) -> Sequence[int]:
    if rows <= 2 * _ENDS:
        return range(rows)
    return [*range(_ENDS), *range(rows - _ENDS, rows)]


def _note(rows: int, shown: int) -> str:
    return "" if rows == shown else f"the first and last {_ENDS} of {rows:,} rows"


def _row(frame: Any, row: int) -> list[Any]:
    # Cell by cell: a row as a whole would turn integers into floats.
    return [frame.iloc[row, column] for column in range(min(frame.shape[1], _MOST_DESCRIBED))]


def _columns(frame: Any) -> Visualization:
    rows = []
    for position in range(min(frame.shape[1], _MOST_DESCRIBED)):
        column = frame.iloc[:, position]
        smallest, largest = _limits(column)
        missing = int(column.isna().sum())
        rows.append((frame.columns[position], column.dtype, missing, smallest, largest))
    # Names of columns go down here, so that a wide frame is told in full.
    return table(("column", "type", "nulls", "min", "max"), rows, title="columns")


def _limits(column: Any) -> tuple[Any, Any]:
    is_ordered = column.dtype.kind in "biufmM" if hasattr(column.dtype, "kind") else False
    if not is_ordered or not len(column):
        return "", ""
    return column.min(), column.max()
