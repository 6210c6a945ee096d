"""Values in, values out: refs, batches, failures, damage, reachability, fingerprints."""

import dataclasses
import pickle
import subprocess
import sys
import threading
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from flowkit.content import saving
from flowkit.content.codec import decode
from flowkit.content.hashing import digest_of
from flowkit.content.records import RootRecord
from flowkit.content.registry import Registry
from flowkit.content.saving import INLINE_ROOT
from flowkit.content.store import INLINE_ITEM, ArtifactStore
from flowkit.exceptions import (
    ArtifactUnloadable,
    BlobCorrupted,
    BlobMissing,
    IntegrityError,
    UnpicklableArtifactException,
)
from flowkit.materializers.pickled import PickleMaterializer
from flowkit.model.manifest import ArtifactRef, Frame, Manifest, Transition
from flowkit.stores.local import LocalBlobStore
from flowkit.stores.memory import MemoryBlobStore

LOCK = threading.Lock()
BIG_TEXT = "x" * INLINE_ROOT


class CountingStore(MemoryBlobStore):
    """A memory store that notes how it was called."""

    def __init__(self):
        super().__init__()
        self.calls = []

    def put(self, data):
        self.calls.append("put")
        return super().put(data)

    def put_many(self, datas):
        self.calls.append(f"put_many {len(datas)}")
        return [MemoryBlobStore.put(self, data) for data in datas]

    def get_many(self, digests):
        self.calls.append(f"get_many {len(digests)}")
        return super().get_many(digests)


class TwoBuffers:
    """A value whose pickle does not tell how long its buffers are."""

    def __init__(self, *parts):
        self.parts = list(parts)

    def __reduce_ex__(self, _):
        return TwoBuffers, tuple(map(pickle.PickleBuffer, self.parts))


class OneByOne:
    """A store without optional powers."""

    def __init__(self):
        inner = MemoryBlobStore()
        self.put, self.get, self.exists = inner.put, inner.get, inner.exists
        self.list, self.delete = inner.list, inner.delete


def iter_nothing():
    yield from ()


def store_on(blobs):
    return ArtifactStore(blobs, Registry(PickleMaterializer()))


@pytest.fixture
def blobs():
    return CountingStore()


@pytest.fixture
def store(blobs):
    return store_on(blobs)


# --- save and load --------------------------------------------------------------------------------


def test_values_come_back(store):
    values: dict[str, Any] = {
        "none": None,
        "text": BIG_TEXT,
        "array": np.arange(100_000),
        "list": [1, {"a": 2.5}],
    }
    refs = store.save(values).refs

    assert list(refs) == list(values)
    assert all(np.array_equal(store.load(refs[name]), values[name]) for name in values)


def test_a_ref_says_what_it_refers_to(store, blobs):
    refs = store.save({"small": 5, "array": np.zeros(100_000)}).refs

    assert refs["small"].type == "int"
    assert refs["small"].inline is not None
    assert refs["small"].digest == digest_of(refs["small"].inline)
    assert refs["small"].size == len(refs["small"].inline)
    assert refs["array"].type == "numpy.ndarray"
    assert refs["array"].size == 800_000 + len(refs["array"].inline or b"")
    assert refs["array"].materializer == "pickle"


def test_small_roots_stay_inline_and_cost_no_blob(store, blobs):
    refs = store.save({"a": 1, "b": "x" * 10_000}).refs

    assert all(ref.inline is not None for ref in refs.values())
    assert list(blobs.list()) == []


def test_larger_roots_are_blobs(store, blobs):
    ref = store.save({"a": BIG_TEXT}).refs["a"]

    assert ref.inline is None
    assert blobs.exists([ref.digest]) == {ref.digest}
    assert store.load(ref) == BIG_TEXT


def test_inline_roots_are_bounded_together(store, blobs):
    refs = store.save({f"v{i}": "x" * 1000 for i in range(10)}, inline_budget=3500).refs

    assert sum(ref.inline is not None for ref in refs.values()) == 3
    assert all(len(store.load(ref)) == 1000 for ref in refs.values())


def test_small_blobs_are_written_together_and_large_ones_alone(store, blobs):
    small = {f"a{i}": np.full(10_000, i) for i in range(5)}
    store.save({**small, "text": BIG_TEXT, "text2": BIG_TEXT + "y", "big": np.zeros(1_000_000)})

    assert blobs.calls == ["put", "put_many 5", "put_many 2"]


def test_values_are_written_when_many_bytes_wait(store, blobs, monkeypatch):
    monkeypatch.setattr(saving, "_PENDING", 500_000)
    values = {f"a{i}": np.full(50_000, i) for i in range(5)}
    refs = store.save(values).refs

    assert blobs.calls == ["put_many 2", "put_many 2", "put"]
    assert [store.load(ref)[0] for ref in refs.values()] == [0, 1, 2, 3, 4]


def test_a_store_that_takes_one_blob_at_a_time_will_do():
    store = store_on(OneByOne())
    refs = store.save({"a": np.zeros(20_000), "b": [np.ones(20_000), np.zeros(30_000)]}).refs
    digest = store.put_manifest(Manifest(refs))

    assert store.load(refs["b"])[0][0] == 1
    assert store.get_manifests([digest, digest]) == [Manifest(refs)] * 2


def test_all_values_that_can_not_be_stored_are_reported_and_the_others_saved(store):
    saved = store.save({"a": 1, "model": {"db": LOCK}, "b": iter_nothing(), "c": 3})

    assert list(saved.refs) == ["a", "c"]
    assert list(saved.failures) == ["model", "b"]
    assert str(saved.failures["model"]).startswith("cannot store self.model: ['db']: _thread.lock")
    assert isinstance(saved.failures["b"], UnpicklableArtifactException)


def test_items_are_refs_with_little_inline(store, blobs):
    items: list[Any] = [1, "x" * INLINE_ITEM, np.zeros(20_000), None]
    refs = store.save_items(items)

    assert [ref.inline is None for ref in refs] == [False, True, False, False]
    assert blobs.calls == ["put", "put"]
    assert all(np.array_equal(store.load(ref), item) for ref, item in zip(refs, items, strict=True))
    assert store.save_items([]) == []


def test_an_item_that_can_not_be_stored_is_named_by_its_index(store):
    with pytest.raises(UnpicklableArtifactException, match=r"item 2 of the foreach: \.?_thread"):
        store.save_items([1, 2, LOCK])


def test_equal_values_have_equal_digests(store):
    def value():
        return {"a": np.arange(50_000), "b": ["text", 1.5]}

    assert store.save({"x": value()}).refs["x"] == store.save({"y": value()}).refs["y"]


def test_a_payload_is_read_without_rebuilding_the_value(store):
    array = np.arange(50_000)
    payload = store.payload(store.save({"a": array}).refs["a"])

    assert payload.inband[:2] == b"\x80\x05"
    assert [bytes(buffer) for buffer in payload.buffers] == [array.tobytes()]


# --- damage ---------------------------------------------------------------------------------------


def test_inline_bytes_are_verified(store):
    ref = store.save({"a": 5}).refs["a"]
    damaged = dataclasses.replace(ref, inline=ref.inline[:-2] + b"\x06.")

    with pytest.raises(BlobCorrupted) as caught:
        store.load(damaged)
    assert caught.value.digest == ref.digest


def test_swapped_inline_bytes_are_noticed(store):
    refs = store.save({"a": 5, "b": 6}).refs

    with pytest.raises(BlobCorrupted):
        store.load(dataclasses.replace(refs["a"], inline=refs["b"].inline))


def test_a_missing_buffer_is_reported(store, blobs):
    ref = store.save({"a": [np.zeros(20_000), np.ones(20_000)]}).refs["a"]
    gone = digest_of(np.ones(20_000).tobytes())
    blobs.delete([gone])

    with pytest.raises(BlobMissing) as caught:
        store.load(ref)
    assert caught.value.digest == gone


def test_a_blob_that_is_no_root_record_is_reported(store, blobs):
    digest = blobs.put(b"something else")

    with pytest.raises(BlobCorrupted, match="is no artifact"):
        store.load(ArtifactRef(digest, "pickle", "int", 5))


def test_a_buffer_of_another_length_is_reported(store, blobs):
    buffer = blobs.put(b"data")
    root = RootRecord("pickle", "int", ((buffer, 5),), b"\x80\x05K\x05.").to_bytes()

    with pytest.raises(BlobCorrupted, match="4 bytes instead of 5"):
        store.load(ArtifactRef(digest_of(root), "pickle", "int", 5, root))


def test_a_value_that_can_not_be_rebuilt_names_its_type(store):
    root = RootRecord("pickle", "gone.Model", (), b"\x80\x05cgone\nModel\n.").to_bytes()

    with pytest.raises(ArtifactUnloadable) as caught:
        store.load(ArtifactRef(digest_of(root), "pickle", "gone.Model", 5, root))
    assert str(caught.value) == "cannot load a gone.Model: it needs the module 'gone'"


def test_an_unknown_materializer_is_named(store):
    root = RootRecord("arrow", "pyarrow.Table", (), b"").to_bytes()

    with pytest.raises(ArtifactUnloadable, match="no materializer 'arrow'"):
        store.load(ArtifactRef(digest_of(root), "arrow", "pyarrow.Table", 5, root))


# --- manifests ------------------------------------------------------------------------------------


def test_manifests_come_back_one_by_one_and_together(store, blobs):
    manifests = [Manifest(store.save({"a": i}).refs, ("a",)) for i in range(3)]
    digests = [store.put_manifest(manifest) for manifest in manifests]
    blobs.calls.clear()

    assert [store.get_manifest(digest) for digest in digests] == manifests
    assert store.get_manifests([*digests, digests[0]]) == [*manifests, manifests[0]]
    assert blobs.calls == ["get_many 4"]
    assert store.get_manifests([]) == []


def test_a_blob_that_is_no_manifest_is_reported(store, blobs):
    digest = blobs.put(b"{}")

    with pytest.raises(IntegrityError, match=f"{digest} is no manifest"):
        store.get_manifest(digest)
    with pytest.raises(BlobMissing):
        store.get_manifest("0" * 64)


def test_every_blob_that_a_manifest_needs_is_found_without_unpickling(store, blobs):
    refs = store.save({"a": np.zeros(20_000), "b": [BIG_TEXT, np.ones(20_000)], "c": 1}).refs
    items = tuple(store.save_items(["i" * 1000, np.full(20_000, 7)]))
    frame = Frame("s", None, 0, 1, store.save_items(["f" * 1000])[0])
    digest = store.put_manifest(
        Manifest(refs, next=Transition(("x",), "b", items), frames=(frame,))
    )
    before = {found for found, _ in blobs.list()}
    blobs.put(b"not needed")

    assert store.blobs_of(digest) == before
    assert len(before) == 8


def test_the_items_of_a_foreach_are_listed_outside_the_manifest(store, blobs):
    items = tuple(store.save_items(list(range(1000))))
    digest = store.put_manifest(Manifest(next=Transition(("x",), "b", items)))

    taken = store.get_manifest(digest).next

    assert taken.items is None
    assert taken.is_foreach
    assert store.with_items(taken) == Transition(("x",), "b", items)
    assert len(blobs.get(digest)) < 300


def test_a_list_of_items_that_is_none_is_refused(store, blobs):
    listed = blobs.put(b'{"items": [1], "version": 1}')

    with pytest.raises(IntegrityError, match="malformed"):
        store.with_items(Transition(("x",), "b", items_blob=listed))


# --- fingerprints ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "change"),
    [
        ([1, 2], lambda v: v.append(3)),
        ({"a": {"b": 1}}, lambda v: v["a"].update(b=2)),
        (np.zeros(100_000), lambda v: v.__setitem__(99_999, 1)),
        (np.zeros(10), lambda v: v.__setitem__(9, 1)),
        (pd.DataFrame({"a": range(100_000)}), lambda v: v.__setitem__("b", 1)),
        (pd.DataFrame({"a": range(100_000)}), lambda v: v.iloc.__setitem__((5, 0), -1)),
        ({1, 2, 3}, lambda v: v.add(4)),
        ([lambda: 1, []], lambda v: v[1].append(1)),
        (bytearray(100_000), lambda v: v.__setitem__(0, 1)),
    ],
    ids=["list", "nested", "array", "small array", "column", "cell", "set", "lambda", "bytearray"],
)
def test_a_fingerprint_changes_when_the_object_does_and_only_then(store, value, change):
    before = store.fingerprint(value)

    assert before is not None
    assert store.fingerprint(value) == before
    change(value)
    assert store.fingerprint(value) != before


def test_a_loaded_value_keeps_its_fingerprint_until_it_is_changed(store):
    value = {"frame": pd.DataFrame({"a": [1.5] * 50_000, "b": ["x"] * 50_000}), "l": ["x", "x"]}
    loaded = store.load(store.save({"v": value}).refs["v"])
    before = store.fingerprint(loaded)
    assert loaded["frame"]["a"].sum() == 75_000
    assert loaded["frame"].describe() is not None

    assert store.fingerprint(loaded) == before
    loaded["frame"].loc[3, "a"] = 0
    assert store.fingerprint(loaded) != before


def test_what_can_not_be_dumped_has_no_fingerprint(store):
    assert store.fingerprint([LOCK]) is None


def test_moving_bytes_between_buffers_changes_the_fingerprint(store):
    value = TwoBuffers(bytearray(65_536), bytearray(65_537))
    before = store.fingerprint(value)
    value.parts.reverse()

    assert store.fingerprint(value) != before


# --- what is shared -------------------------------------------------------------------------------


def stored_after(store, blobs, value):
    """Return the sizes of the blobs that saving the value adds."""
    before = dict(blobs.list())
    store.save({"v": value})
    return sorted(size for digest, size in blobs.list() if digest not in before)


def test_a_frame_with_one_more_column_stores_one_column(store, blobs):
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({f"c{i}": rng.random(50_000) for i in range(5)})
    frame["n"] = np.arange(50_000)
    store.save({"frame": frame})
    frame["new"] = rng.random(50_000)

    assert stored_after(store, blobs, frame) == [400_000]


def test_a_table_with_one_more_column_stores_one_column(store, blobs):
    rng = np.random.default_rng(1)
    table = pa.table({"a": rng.random(50_000), "b": [f"text {i}" for i in range(50_000)]})
    store.save({"table": table})

    added = stored_after(store, blobs, table.append_column("c", pa.array(rng.random(50_000))))
    assert added == [400_000]


def test_checkpoints_with_a_frozen_layer_store_it_once(store, blobs):
    layers = {"frozen": np.full(100_000, 1.5), "head": np.zeros(20_000)}
    store.save({"model": layers})
    layers["head"] += 1

    assert stored_after(store, blobs, layers) == [160_000]


# --- a real store ---------------------------------------------------------------------------------


def test_large_arrays_are_mapped_and_compressed_ones_too(tmp_path):
    store = store_on(LocalBlobStore(tmp_path / "store"))
    values = {"random": np.random.default_rng(1).random(500_000), "zeros": np.zeros(500_000)}
    refs = store.save(values).refs
    for name, value in values.items():
        loaded = store.load(refs[name])
        assert np.array_equal(loaded, value)
        loaded += 1
        assert np.array_equal(store.load(refs[name]), value)


def test_no_changed_byte_of_any_file_is_ever_a_wrong_value(tmp_path):
    store = store_on(LocalBlobStore(tmp_path))
    value: dict[str, Any] = {"a": np.arange(9_000), "text": "text " * 4000}
    ref = store.save({"v": value}, inline_budget=0).refs["v"]
    files = [path for path in (tmp_path / "objects").rglob("*") if path.is_file()]
    assert len(files) == 2
    for path in files:
        whole = path.read_bytes()
        for position in range(0, len(whole), 1 + len(whole) // 300):
            damaged = bytearray(whole)
            damaged[position] ^= 0x41
            path.unlink(missing_ok=True)
            path.write_bytes(damaged)
            try:
                loaded = store.load(ref)
            except BlobCorrupted:
                continue
            assert loaded["text"] == value["text"]  # a change that lz4 does not see
            assert np.array_equal(loaded["a"], value["a"])
            assert decode(memoryview(damaged)) == decode(memoryview(whole))
        path.unlink(missing_ok=True)
        path.write_bytes(whole)


PEAK = """
import os, resource, sys
import numpy as np
from flowkit.content.registry import Registry
from flowkit.content.store import ArtifactStore
from flowkit.materializers.pickled import PickleMaterializer
from flowkit.stores.local import LocalBlobStore

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

store = ArtifactStore(LocalBlobStore(sys.argv[1]), Registry(PickleMaterializer()))
store.save({"warm": np.random.default_rng(1).random(1_000_000)})
array = np.random.default_rng(2).random(32 * 1024 * 1024)
before = peak()
store.save({"array": array})
print(peak() - before)
"""


def test_saving_256_mib_needs_no_second_copy_in_memory(tmp_path):
    command = [sys.executable, "-c", PEAK, str(tmp_path / "store")]
    done = subprocess.run(command, capture_output=True, check=True, text=True)

    assert int(done.stdout) < 32
