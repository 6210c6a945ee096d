"""Every metadata value becomes JSON, and what Python has and JSON lacks comes back."""

import json
import math
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowkit.model.plainvalues import plain, plain_values, restored


class Colour(Enum):
    RED = "red"


class Level(IntEnum):
    HIGH = 3


class Odd:
    def __repr__(self):
        raise RuntimeError("no repr")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.int64(3), 3),
        (np.float32(1.5), 1.5),
        (np.bool_(True), True),
        (np.str_("x"), "x"),
        (np.dtype("int64"), "int64"),
        (np.arange(3), [0, 1, 2]),
        (pd.Series([1, 2]), [1, 2]),
        (pd.NaT, None),
        (pd.CategoricalDtype(["a"]), "category"),
        (pd.DataFrame, "pandas.DataFrame"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        ((1, 2), [1, 2]),
        ({2, 1}, [1, 2]),
        ({1: {"a": None}}, {"1": {"a": None}}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_become_what_comes_close(value, expected):
    assert plain(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        datetime(2024, 1, 2, 3, 4),  # noqa: DTZ001 - as it was given
        date(2024, 1, 2),
        timedelta(minutes=90),
        Decimal("1.10"),
        PurePosixPath("/a/b"),
        math.inf,
        {"$float": "a user's own key"},
        {"$$x": [1, {"$datetime": 2}]},
    ],
    ids=str,
)
def test_what_json_lacks_comes_back(value):
    stored = json.loads(json.dumps(plain(value), allow_nan=False))

    assert restored(stored) == value


def test_nan_comes_back_as_nan():
    assert math.isnan(restored(plain(float("nan"))))


def test_bytes_become_their_length_and_digest():
    stored = plain(b"abc")

    assert stored == {
        "$bytes": {
            "size": 3,
            "digest": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        }
    }
    assert restored(stored) == "<3 bytes, ba7816bf8f01>"


def test_of_anything_else_the_repr_is_kept_and_the_type_is_told():
    values, unknown = plain_values({"a": 1j, "b": [Odd()], "c": np.zeros(5000)})

    assert unknown == ("complex", f"{__name__}.Odd", "numpy.ndarray")
    assert restored(values["a"]) == "1j"
    assert "raised RuntimeError" in restored(values["b"])[0]


def test_a_value_that_has_itself_inside_ends_somewhere():
    value: list[object] = []
    value.append(value)

    json.dumps(plain(value))


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=9)
    | st.dates() | st.decimals() | st.complex_numbers(),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(max_size=5) | st.integers(), inner, max_size=3)
    | st.tuples(inner, inner),
    max_leaves=12,
)  # fmt: skip


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.dictionaries(st.text(max_size=5), ANYTHING, max_size=4))
def test_any_value_can_be_stored_and_read(values):
    stored, _ = plain_values(values)
    text = json.dumps(stored, allow_nan=False)

    restored(json.loads(text))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(alphabet="$ab", max_size=4), inner, max_size=3)
    ),
    max_leaves=12,
)


@settings(derandomize=True, max_examples=150, deadline=None)
@given(JSON)
def test_what_json_has_comes_back_as_it_was(value):
    assert restored(json.loads(json.dumps(plain(value), allow_nan=False))) == value
