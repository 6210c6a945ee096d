"""The materializer of numpy's arrays passes the suite."""

from typing import Any

import numpy as np
import pytest

from flowkit.materializers.arrays import ArrayMaterializer
from flowkit.testing.materializers import MaterializerSuite


class TestArrayMaterializer(MaterializerSuite):
    @pytest.fixture
    def materializer(self):
        return ArrayMaterializer()

    def samples(self):
        rising = np.arange(60_000, dtype="f8")
        return {
            "one dimension": np.arange(5),
            "none": np.array(5.0),
            "empty": np.zeros((0, 3), "U4"),
            "large": rising,
            "C": rising.reshape(200, 300),
            "F": np.asfortranarray(rising.reshape(300, 200)),
            "strided": np.arange(20)[::2],
            "turned": np.arange(24).reshape(2, 3, 4).transpose(1, 0, 2),
            "repeated": np.broadcast_to(np.arange(3), (4, 3)),
            "big-endian": np.arange(3, dtype=">i2"),
            "half": np.array([0.5], "f2"),
            "complex": np.array([1 + 2j]),
            "nan": np.array([np.nan, -0.0]),
            "moments": np.array(["2024-07-31", "NaT"], "M8[ns]"),
            "spans": np.array([1, 2], "m8[D]"),
            "texts": np.array(["é", "bc"]),
            "bytes": np.array([b"x", b"yz"]),
            "bools": np.array([True, False]),
            "records": np.zeros(3, [("a", "i4"), ("b", "f8", (2, 3)), ("c", [("d", "M8[s]")])]),
            "titles": np.zeros(1, [(("A title", "a"), "i1")]),
        }

    def others(self):
        aligned = np.dtype([("a", "i1"), ("b", "f8")], align=True)
        overlapping: Any = {"names": ["a", "b"], "formats": ["i4", "i4"], "offsets": [0, 2]}
        return {
            "objects": np.array([None, "a"], dtype=object),
            "masked": np.ma.array([1, 2], mask=[True, False]),
            "records of a class": np.rec.array([(1, 2.0)]),
            "aligned": np.zeros(2, aligned),
            "overlapping": np.zeros(2, np.dtype(overlapping)),
            "metadata": np.zeros(2, np.dtype("i4", metadata={"unit": "m"})),
            "raw": np.zeros(2, "V5"),
            "variable texts": np.array(["a"], np.dtypes.StringDType()),
        }

    def are_equal(self, one, other):
        assert one.dtype == other.dtype
        assert one.flags.f_contiguous >= (other.flags.f_contiguous and not one.flags.c_contiguous)
        if one.dtype.kind in "fcmM":
            return one.shape == other.shape and one.tobytes() == other.tobytes()
        return np.array_equal(one, other)

    def test_a_loaded_array_may_be_written_into(self, materializer):
        for value in (np.arange(5), np.arange(50_000)):
            loaded = materializer.load(materializer.dump(value))
            loaded[0] = 7

            assert loaded[0] == 7

    def test_the_content_does_not_depend_on_the_order_in_memory(self, materializer):
        from flowkit.testing.materializers import content_of

        rows = np.arange(60_000, dtype="f8").reshape(200, 300)

        assert content_of(materializer, rows) == content_of(materializer, np.asfortranarray(rows))
        assert content_of(materializer, rows) != content_of(materializer, rows.T)
