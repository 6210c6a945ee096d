"""The materializer of pandas passes the suite."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from flowkit.materializers.frames import FrameMaterializer
from flowkit.testing.materializers import MaterializerSuite, content_of, stored


def everything():
    some: Any = ["2024-07-31", None, "2024"]
    return pd.DataFrame(
        {
            "int": [1, 2, 3],
            "float": [1.5, np.nan, -0.0],
            "text": ["x", None, "é\0"],
            "kind": pd.Categorical(["u", None, "u"], ["v", "u"], ordered=True),
            "zoned": pd.to_datetime(some, format="mixed").tz_localize("UTC"),
            "berlin": pd.to_datetime(["2024-10-27 02:30"] * 3).tz_localize(
                "Europe/Berlin", ambiguous=True
            ),
            "moment": pd.to_datetime(some, format="mixed"),
            "span": pd.to_timedelta([1, None, 3], unit="s"),
            "Int": pd.array([1, None, 3], dtype="Int64"),
            "Float": pd.array([1.5, None, 3], dtype="Float32"),
            "bool": pd.array([True, None, False], dtype="boolean"),
            "plain": [True, False, True],
            "NA": pd.array(["a", None, "b"], dtype="string"),
        }
    )


class TestFrameMaterializer(MaterializerSuite):
    @pytest.fixture
    def materializer(self):
        return FrameMaterializer()

    def samples(self):
        frame = everything()
        return {
            "everything": frame,
            "no rows": frame.iloc[:0],
            "last rows": frame.iloc[1:],
            "turned": frame.iloc[::-1],
            "nothing": pd.DataFrame(),
            "index only": pd.DataFrame(index=["a", "b"]),
            "text index": frame[["int"]].set_index(frame["text"]),
            "moment index": frame[["int"]].set_index(frame["moment"]),
            "category index": frame[["int"]].set_index(frame["kind"]),
            "Int index": frame[["int"]].set_index(frame["Int"]),
            "names": frame[["int"]].rename_axis("row").rename_axis(columns="column"),
            "numbered": pd.DataFrame(np.arange(8.0).reshape(2, 4)),
            "twice": pd.DataFrame([[1, 2], [3, 4]], columns=["x", "x"]),
            "series": frame["float"],
            "text series": frame["text"].iloc[1:],
            "no name": pd.Series([1, 2]),
            "number as name": pd.Series([1, 2], name=5),
            "no texts": pd.Series([], dtype="str"),
            "large": pd.DataFrame({"a": np.arange(50_000), "b": ["some text"] * 50_000}),
            "step": pd.DataFrame({"a": range(6)}).iloc[::2],
        }

    def others(self):
        noted = pd.DataFrame({"a": [1]})
        noted.attrs["source"] = "survey"
        return {
            "objects": pd.DataFrame({"a": [object(), 1]}),
            "mixed": pd.Series([1, "a"], dtype=object),
            "attributes": noted,
            "frequency": pd.Series([1, 2], index=pd.date_range("2024", periods=2, freq="D")),
            "levels": pd.DataFrame({("a", "b"): [1]}),
            "rows of levels": pd.DataFrame({"a": [1]}, pd.MultiIndex.from_tuples([(1, 2)])),
            "periods": pd.Series(pd.period_range("2024", periods=2, freq="M")),
            "sparse": pd.Series(pd.arrays.SparseArray([0, 1])),
            "arrow": pd.Series([1], dtype="int64[pyarrow]"),
            "complex in a list": pd.Series([[1], [2]]),
            "a name that is a tuple": pd.Series([1], name=("a", 1)),
            "unique labels": pd.DataFrame({"a": [1]}).set_flags(allows_duplicate_labels=False),
            "wide": pd.DataFrame(np.zeros((2, 101))),
            "texts of Python": pd.Series(["a"], dtype=pd.StringDtype("python")),
        }

    def are_equal(self, one, other):
        compare = (
            pd.testing.assert_series_equal
            if isinstance(one, pd.Series)
            else pd.testing.assert_frame_equal
        )
        compare(one, other, check_exact=True)
        return type(one.index) is type(other.index)

    def test_the_content_does_not_depend_on_how_columns_lie_in_memory(self, materializer):
        apart = pd.DataFrame({"a": np.arange(9.0), "b": np.arange(9.0) * 2})
        together = pd.DataFrame(apart.to_numpy(), columns=["a", "b"])

        assert content_of(materializer, apart) == content_of(materializer, together)

    def test_a_subclass_is_left_to_the_default(self, materializer):
        class Own(pd.DataFrame):
            """A frame with more to it."""

        assert not materializer.claims(Own({"a": [1]}))

    def test_a_loaded_frame_may_be_changed_and_extended(self, materializer):
        frame = pd.DataFrame({f"c{i}": np.arange(20_000.0) for i in range(64)})

        loaded = materializer.load(stored(materializer.dump(frame)))
        loaded.loc[0, "c0"] = 5
        loaded["more"] = 1  # pandas would warn if there were many parts

        assert (loaded.loc[0, "c0"], loaded.shape) == (5, (20_000, 65))
        assert frame.loc[0, "c0"] == 0
