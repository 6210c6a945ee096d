"""A zoo of values goes through processes with different hash seeds and comes back as it was."""

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from flowkit.content.canonical import canonical_digest
from flowkit.content.store import ArtifactStore
from flowkit.materializers.standard import standard_registry
from flowkit.stores.memory import MemoryBlobStore

ZOO = Path(__file__).parent / "value_zoo.py"
FEW = settings(derandomize=True, max_examples=80, deadline=None)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.binary(max_size=5)
)
hashables = st.recursive(
    scalars,
    lambda inner: st.tuples(inner, inner) | st.frozensets(inner, max_size=3),
    max_leaves=6,
)
plain_values = st.recursive(
    hashables | st.complex_numbers(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner)
        | st.dictionaries(hashables, inner, max_size=3)
        | st.sets(hashables, max_size=4)
    ),
    max_leaves=12,
)


def run(*arguments, seed):
    outcome = subprocess.run(
        [sys.executable, "-W", "error", str(ZOO), *arguments],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stderr
    return json.loads(outcome.stdout)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """What two processes said of the same values, each with a hash seed of its own."""
    folders = [str(tmp_path_factory.mktemp("zoo")) for _ in range(2)]
    return [(folder, run("save", folder, seed=seed)) for seed, folder in enumerate(folders, 1)]


def test_another_process_loads_every_value_as_it_was(written):
    folder, _ = written[0]

    assert run("load", folder, seed=3) == {}


def test_the_content_of_equal_values_is_equal_in_every_process(written):
    (_, one), (_, other) = written
    contents = [{name: entry["content"] for name, entry in said.items()} for said in (one, other)]

    assert contents[0] == contents[1]


def test_what_has_no_content_has_equal_digests_unless_sets_are_inside(written):
    (_, one), (_, other) = written
    differing = {
        name
        for name, entry in one.items()
        if entry["content"] is None and entry["digest"] != other[name]["digest"]
    }

    assert differing <= {"object with a set", "figure"}


def test_every_value_can_be_shown(written):
    _, said = written[0]

    assert [name for name, entry in said.items() if not entry["shown"]] == []


@FEW
@given(plain_values)
def test_plain_values_come_back_and_keep_their_content(value):
    store = ArtifactStore(MemoryBlobStore(), standard_registry())
    ref = store.save({"x": value}).refs["x"]

    loaded = store.load(ref)

    assert canonical_digest(loaded) == canonical_digest(value) is not None
    assert store.save({"x": loaded}).refs["x"].identity == ref.identity
    assert store.preview(ref).visualizations


@FEW
@given(plain_values, plain_values)
def test_only_equal_values_have_equal_content(one, other):
    if canonical_digest(one) == canonical_digest(other):
        assert type(one) is type(other)
        assert one == other or has_nan(one)


def has_nan(value):
    if isinstance(value, float | complex):
        return value != value or (isinstance(value, complex) and math.isnan(abs(value)))  # noqa: PLR0124
    if isinstance(value, dict):
        return any(map(has_nan, [*value, *value.values()]))
    return isinstance(value, list | tuple | set | frozenset) and any(map(has_nan, value))


@FEW
@example(np.empty((0, 3, 2)))
@given(
    arrays.arrays(
        arrays.scalar_dtypes() | arrays.array_dtypes(allow_subarrays=True),
        arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4),
        elements=None,
    )
)
def test_arrays_of_every_type_come_back_byte_by_byte(value):
    store = ArtifactStore(MemoryBlobStore(), standard_registry())
    ref = store.save({"x": value}).refs["x"]

    loaded = store.load(ref)

    assert (loaded.dtype, loaded.shape) == (value.dtype, value.shape)
    assert loaded.tobytes() == value.tobytes()
    assert store.preview(ref).summary["shape"] == list(value.shape)
