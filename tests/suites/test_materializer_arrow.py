"""The materializers of pyarrow and polars pass the suite."""

import datetime as dt
from decimal import Decimal

import polars as pl
import pyarrow as pa
import pytest

from flowkit.materializers.arrow import ArrowMaterializer, PolarsMaterializer
from flowkit.testing.materializers import MaterializerSuite, stored

COLUMNS = {
    "int": [1, None],
    "text": ["x", None],
    "list": [[1], [2, 3]],
    "struct": [{"a": 1}, {"a": None}],
    "moment": [dt.datetime(2024, 7, 31, tzinfo=dt.UTC), None],
    "decimal": [Decimal("1.10"), None],
    "bytes": [b"x", b""],
}


class TestArrowMaterializer(MaterializerSuite):
    @pytest.fixture
    def materializer(self):
        return ArrowMaterializer()

    def samples(self):
        table = pa.table({**COLUMNS, "kind": pa.array(["u", "v"]).dictionary_encode()})
        return {
            "everything": table,
            "metadata": table.replace_schema_metadata({"k": "v"}),
            "no rows": table.slice(0, 0),
            "a slice": table.slice(1),
            "large": pa.table({"a": pa.array(range(50_000))}),
            "not null": pa.table([[1]], schema=pa.schema([pa.field("a", pa.int64(), False)])),
            "twice": pa.table([[1], [2]], names=["a", "a"]),
        }

    def others(self):
        return {
            "no columns": pa.table({}),
            "extension": pa.table({"u": pa.array([b"1" * 16], pa.uuid())}),
        }

    def are_equal(self, one, other):
        return one.equals(other, check_metadata=True)

    def test_chunks_are_not_part_of_the_value(self, materializer):
        table = pa.table({"a": ["x", "y"]})
        pieces = pa.concat_tables([table.slice(0, 1), table.slice(1)])

        assert stored(materializer.dump(pieces)) == stored(materializer.dump(table))


class TestPolarsMaterializer(MaterializerSuite):
    @pytest.fixture
    def materializer(self):
        return PolarsMaterializer()

    def samples(self):
        frame = pl.DataFrame(
            {
                **COLUMNS,
                "kind": pl.Series(["u", "v"], dtype=pl.Categorical),
                "enum": pl.Series(["u", "v"], dtype=pl.Enum(["v", "u"])),
            }
        )
        return {
            "everything": frame,
            "no rows": frame.head(0),
            "large": pl.DataFrame({"a": range(50_000)}),
            "series": frame["list"],
            "no name": pl.Series([1.5, None]),
        }

    def others(self):
        return {
            "objects": pl.Series([object()], dtype=pl.Object),
            "no columns": pl.DataFrame(),
            "lazy": pl.DataFrame({"a": [1]}).lazy(),
        }

    def are_equal(self, one, other):
        if isinstance(one, pl.Series):
            return one.equals(other, check_names=True, check_dtypes=True)
        return one.equals(other) and one.schema == other.schema
