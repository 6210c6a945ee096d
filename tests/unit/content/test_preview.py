"""Previews: bounded, beside their value, and never in its way."""

import json
import math
from typing import Any

import numpy as np
import pytest

from flowkit.content import previewing
from flowkit.content.hashing import digest_of
from flowkit.content.preview import PreviewRecord, StoredVisualization, parse_preview
from flowkit.content.previewing import INLINE_TEXT, LARGEST, LARGEST_PREVIEW, MOST, draft
from flowkit.content.registry import Registry
from flowkit.content.saving import Choices
from flowkit.content.store import ArtifactStore
from flowkit.enums import ArtifactType
from flowkit.exceptions import IntegrityError, TimeoutException
from flowkit.materializers.pickled import PickleMaterializer
from flowkit.model.manifest import Manifest
from flowkit.ports.materializer import Visualization
from flowkit.stores.memory import MemoryBlobStore

PNG = b"\x89PNG\r\n\x1a\n" + bytes(2000)


class Described:
    """A value that is worth a preview."""

    def _repr_html_(self):
        return "<b>me</b>"


class Unknown(Described):
    """A value that nobody describes."""


class Told:
    """Describes as it was told to."""

    artifact_type = ArtifactType.MODEL

    def __init__(self, summary: Any = None, shown: Any = ()):
        self.summary = summary or {}
        self.shown = shown

    def describe(self, value):
        return self.summary() if callable(self.summary) else self.summary

    def visualize(self, value):
        return self.shown() if callable(self.shown) else iter(self.shown)


class Usual(Told):
    def __init__(self):
        super().__init__({"rows": 2}, [Visualization("image/png", PNG, "plot")])


class OnRequest(Told):
    def visualize(self, value):
        return [Visualization("html", value._repr_html_())]


def raising(error):
    def function():
        raise error

    return function


@pytest.fixture
def store():
    registry = Registry(
        PickleMaterializer(),
        describers={f"{__name__}.Described": f"{__name__}:Usual"},
        on_request=f"{__name__}:OnRequest",
    )
    registry._loaded = {f"{__name__}:{cls.__name__}": cls() for cls in (Usual, OnRequest)}
    registry._describers.pop(f"{__name__}.Unknown", None)
    return ArtifactStore(MemoryBlobStore(), registry)


def record_of(**told):
    drafted = draft(Told(**told), object())
    return None if drafted is None else parse_preview(drafted.record)


def test_a_preview_is_stored_beside_its_value(store):
    ref = store.save({"x": Described()}).refs["x"]

    found = store.preview(ref)
    assert found.artifact_type is ArtifactType.MODEL
    assert found.summary == {"rows": 2}
    assert found.visualizations == (Visualization("image/png", PNG, "plot"),)


def test_a_preview_and_its_images_are_needed_by_the_manifest(store):
    ref = store.save({"x": Described()}).refs["x"]

    needed = store.blobs_of(store.put_manifest(Manifest({"x": ref})))
    assert {ref.preview, digest_of(PNG)} <= needed


def test_a_lost_preview_costs_nothing_but_the_preview(store):
    ref = store.save({"x": Described()}).refs["x"]
    digest = store.put_manifest(Manifest({"x": ref}))
    store._blobs.delete([ref.preview])

    assert ref.preview in store.blobs_of(digest)
    assert store.preview(ref).visualizations == (Visualization("text", f"{__name__}.Described()"),)
    assert isinstance(store.load(ref), Described)


def test_the_digest_of_a_value_does_not_depend_on_its_preview(store):
    refs = [
        store.save({"x": Described()}, choices=Choices(is_shown=x)).refs["x"] for x in (False, True)
    ]

    assert refs[0].digest == refs[1].digest
    assert refs[0].preview != refs[1].preview
    assert store.preview(refs[0]).visualizations == ()
    assert store.preview(refs[0]).summary == {"rows": 2}


def test_internal_artifacts_and_foreach_items_have_no_preview(store):
    assert store.save({"_x": Described()}).refs["_x"].preview is None
    assert store.save_items([Described()])[0].preview is None


@pytest.mark.parametrize("value", [5, 1.5, None, "text", b"x", True, [1], {"a": 1}], ids=repr)
def test_small_plain_values_cost_no_preview(store, value):
    assert store.save({"x": value}).refs["x"].preview is None


def test_objects_show_themselves_only_where_a_step_asks_for_it(store):
    class Alone:
        """Nobody describes it, and pickle can't find it, but cloudpickle can."""

        _repr_html_ = Described._repr_html_

    quiet = store.save({"x": Alone()}).refs["x"]
    asked = store.save({"x": Alone()}, choices=Choices(is_shown=True)).refs["x"]

    assert quiet.preview is None
    assert store.preview(asked).visualizations == (Visualization("html", "<b>me</b>"),)


@pytest.mark.parametrize(
    "told",
    [
        {"summary": raising(ValueError("no"))},
        {"shown": raising(RecursionError())},
        {"shown": raising(MemoryError())},
        {"shown": [None]},
        {"shown": [Visualization("text", 5)]},  # type: ignore[arg-type]
    ],
    ids=["describe", "recursion", "memory", "none", "number"],
)
def test_a_describer_that_fails_costs_the_preview_only(told):
    assert record_of(**told) is None


@pytest.mark.parametrize("error", [TimeoutException("late"), KeyboardInterrupt()], ids=repr)
def test_what_is_not_about_the_value_is_passed_on(error):
    with pytest.raises(type(error)):
        record_of(shown=raising(error))


def test_what_jsons_lack_is_written_down_all_the_same():
    record = record_of(
        summary={"nan": float("nan"), "number": np.int64(5), "shape": (1, 2), 3: np.dtype("f8")}
    )

    assert record.summary == {
        "nan": {"$float": "nan"},
        "number": 5,
        "shape": [1, 2],
        "3": "float64",
    }


def test_texts_that_do_not_fit_are_blobs_and_too_large_ones_are_left_out():
    texts = ["a" * (INLINE_TEXT // 2), "b" * (INLINE_TEXT // 2), "c" * LARGEST, "d" * (LARGEST + 1)]
    drafted = draft(Told(shown=[Visualization("text", text) for text in texts]), object())

    assert drafted is not None
    assert [len(blob) for blob in drafted.blobs] == [INLINE_TEXT // 2, LARGEST]
    assert [v.digest for v in parse_preview(drafted.record).visualizations] == [
        None,
        *(digest_of(blob) for blob in drafted.blobs),
    ]


def endless(data, title=""):
    def shown():
        while True:
            yield Visualization("text", data, title)

    return shown


def test_endless_visualizations_end_with_the_time_for_them():
    record = record_of(shown=endless("x"))

    assert 0 < len(record.visualizations) <= INLINE_TEXT


@pytest.mark.parametrize(
    ("data", "title"),
    [("x", ""), ("x", "t" * 100_000), ("x" * LARGEST, ""), ("x" * (LARGEST + 1), "")],
    ids=["small", "title", "large", "too-large"],
)
def test_a_preview_has_bounds_whatever_its_describer_yields(data, title):
    drafted = draft(Told(shown=endless(data, title)), object())

    assert drafted is not None
    assert len(parse_preview(drafted.record).visualizations) <= MOST
    assert len(drafted.record) <= 2 * INLINE_TEXT
    assert sum(map(len, drafted.blobs)) <= LARGEST_PREVIEW


def test_all_of_a_preview_may_be_as_large_as_it_may_be_at_most_and_no_larger(monkeypatch):
    monkeypatch.setattr(previewing, "SECONDS", math.inf)
    drafted = draft(Told(shown=[Visualization("text", "x" * LARGEST)] * 9), object())

    assert drafted is not None
    assert sum(map(len, drafted.blobs)) == LARGEST_PREVIEW


def test_a_summary_that_is_too_long_is_left_out():
    record = record_of(summary={"long": ["x" * 100] * 1000}, shown=[Visualization("text", "x")])

    assert (record.summary, len(record.visualizations)) == ({}, 1)


def test_a_record_comes_back_and_is_canonical():
    shown = (
        StoredVisualization("table", "rows", "{}"),
        StoredVisualization("image/png", "", None, "a" * 64),
    )
    record = PreviewRecord(ArtifactType.DATA, {"b": 1, "a": [None, "ä"]}, shown)

    assert parse_preview(record.to_bytes()) == record
    assert parse_preview(record.to_bytes()).to_bytes() == record.to_bytes()


GOOD = json.loads(PreviewRecord(ArtifactType.DATA).to_bytes())


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"summary": []},
        {"summary": None},
        {"artifact_type": "Data"},
        {"artifact_type": []},
        {"visualizations": 5},
        {"visualizations": [[]]},
        {"visualizations": [["text", "", None, None]]},
        {"visualizations": [["text", "", "x", "a" * 64]]},
        {"visualizations": [["text", "", None, "../x"]]},
        {"visualizations": [[1, "", "x", None]]},
    ],
    ids=repr,
)
def test_what_is_no_preview_is_reported(change):
    with pytest.raises(IntegrityError, match="a preview is malformed"):
        parse_preview(json.dumps({**GOOD, **change}).encode())


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b"\xff", b"[" * 100_000], ids=lambda d: d[:9]
)
def test_bytes_that_are_no_preview_are_reported(data):
    with pytest.raises(IntegrityError, match="a preview is malformed"):
        parse_preview(data)
