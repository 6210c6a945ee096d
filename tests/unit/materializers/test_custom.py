"""Materializers that users write: which class takes a value, and files that become blobs."""

import json
import os
import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest

from flowkit.content.saving import Choices
from flowkit.content.store import ArtifactStore
from flowkit.enums import ArtifactType
from flowkit.exceptions import ArtifactUnloadable, DefinitionError, UnpicklableArtifactException
from flowkit.io import fileio
from flowkit.materializers import BaseMaterializer
from flowkit.materializers.paths import PathMaterializer
from flowkit.materializers.standard import standard_registry
from flowkit.ports.materializer import Visualization

Types = tuple[type, ...]


class Table:
    """A value that pickle can't store."""

    def __init__(self, rows):
        self.rows = rows
        self.handle = lambda: rows

    def __reduce__(self):
        raise TypeError("no pickling, please")


class WiderTable(Table):
    pass


class Unknown:
    pass


class TableMaterializer(BaseMaterializer):
    ASSOCIATED_TYPES: ClassVar[Types] = (Table,)
    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA_ANALYSIS

    def save(self, data):
        fileio.makedirs(f"{self.uri}/deep/er")
        fileio.makedirs(f"{self.uri}/nothing")
        with fileio.open(f"{self.uri}/deep/er/rows.json", "w") as file:
            json.dump(data.rows, file)
        with fileio.open(f"{self.uri}/large.bin", "wb") as file:
            file.write(b"x" * 100_000)

    def load(self, data_type):
        assert fileio.isdir(f"{self.uri}/nothing")
        assert not os.access(f"{self.uri}/large.bin", os.W_OK) or os.getuid() == 0
        with fileio.open(f"{self.uri}/deep/er/rows.json") as file:
            return data_type(json.load(file))

    def save_visualizations(self, data):
        with fileio.open(f"{self.uri}/rows.html", "w") as file:
            file.write(f"<p>{len(data.rows)}</p>")
        return {f"{self.uri}/rows.html": "html"}

    def extract_metadata(self, data):
        return {"rows": len(data.rows)}


class OnRequest(BaseMaterializer):
    ASSOCIATED_TYPES: ClassVar[Types] = (dict, Unknown)
    SKIP_REGISTRATION = True

    def save(self, data):
        if isinstance(data, Unknown):
            with fileio.open(f"{self.uri}/half", "w") as file:
                file.write("written")
            raise RuntimeError("halfway")  # noqa: TRY004 - not about the type
        with fileio.open(f"{self.uri}/keys", "w") as file:
            file.write(",".join(data))

    def load(self, data_type):
        with fileio.open(f"{self.uri}/keys") as file:
            return data_type.fromkeys(file.read().split(","))

    def compute_content_hash(self, data):
        return "-".join(sorted(data))


def test_a_class_is_used_for_its_types_without_being_asked_for(store):
    refs = store.save({"table": Table([1, 2]), "wider": WiderTable([3])}).refs

    assert refs["table"].materializer == f"{__name__}.TableMaterializer"
    loaded = store.load(refs["table"])
    assert (type(loaded), loaded.rows) == (Table, [1, 2])
    assert type(store.load(refs["wider"])) is WiderTable


def test_large_files_are_blobs_of_their_own_and_stored_once(store, blobs):
    store.save({"one": Table([1]), "two": Table([2])})

    assert [size for _, size in blobs.list()].count(100_000) == 1


def test_what_the_class_says_of_a_value_is_its_preview(store):
    ref = store.save({"table": Table([1, 2])}).refs["table"]

    preview = store.preview(ref)
    assert preview.artifact_type is ArtifactType.DATA_ANALYSIS
    assert preview.summary == {"rows": 2}
    assert preview.visualizations == (Visualization("html", "<p>2</p>", "rows.html"),)


def test_equal_files_are_equal_content(store):
    refs = store.save({"a": Table([1]), "b": Table([1]), "c": Table([2])}).refs

    assert refs["a"].digest == refs["b"].digest
    assert refs["a"].content == refs["b"].content != refs["c"].content


def test_a_step_can_ask_for_a_class_for_values_of_its_types(store):
    choices = Choices(materializers=[OnRequest])
    refs = store.save({"keys": {"b": 1, "a": 2}, "number": 5}, choices=choices).refs

    assert store.load(refs["keys"]) == {"b": None, "a": None}
    assert refs["number"].materializer == "pickle"
    assert store.save({"keys": {"a": 0, "b": 0}}, choices=choices).refs["keys"].content == (
        refs["keys"].content
    )


def test_a_step_can_ask_for_a_class_for_one_attribute(store):
    choices = Choices(required={"keys": [OnRequest]})
    refs = store.save({"keys": {"a": 1}, "other": {"a": 1}}, choices=choices).refs

    assert refs["keys"].materializer == f"{__name__}.OnRequest"
    assert refs["other"].materializer == "pickle"


def test_a_value_that_the_class_of_its_attribute_does_not_take_is_an_error(store):
    saved = store.save({"keys": 5}, choices=Choices(required={"keys": [OnRequest]}))

    assert "of none of the types that output_materializers has for it (OnRequest)" in str(
        saved.failures["keys"]
    )


def test_internal_artifacts_never_reach_classes_of_users(store):
    refs = store.save({"_info": {"a": 1}}, choices=Choices(materializers=[OnRequest])).refs

    assert refs["_info"].materializer == "pickle"
    assert refs["_info"].preview is None


def test_what_was_stored_by_a_class_goes_on_being_stored_by_it(store):
    known = Choices(known={"keys": f"{__name__}.OnRequest"})
    ref = store.save({"keys": {"a": 1}}, choices=known).refs["keys"]

    assert ref.materializer == f"{__name__}.OnRequest"
    value = store.load(ref)
    before = store.fingerprint(value, stored_by=ref.materializer)
    assert store.fingerprint(value, stored_by=ref.materializer) == before
    value["b"] = None
    assert store.fingerprint(value, stored_by=ref.materializer) != before


def test_a_save_that_raises_halfway_leaves_nothing(store, blobs, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    saved = store.save({"x": Unknown()}, choices=Choices(required={"x": [OnRequest]}))

    assert isinstance(saved.failures["x"], UnpicklableArtifactException)
    assert "cannot store self.x" in str(saved.failures["x"])
    assert "RuntimeError: halfway" in str(saved.failures["x"])
    assert list(blobs.list()) == []
    assert list(tmp_path.iterdir()) == []


def test_no_directory_is_left_after_saving_and_loading(store, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    store.load(store.save({"table": Table([1])}).refs["table"])

    assert list(tmp_path.iterdir()) == []


def test_a_load_that_raises_names_the_class(store):
    ref = store.save({"keys": {"a": 1}}, choices=Choices(materializers=[OnRequest])).refs["keys"]

    class Broken(OnRequest):
        SKIP_REGISTRATION = True

        def load(self, data_type):
            raise ValueError("no")

    module: Any = sys.modules[__name__]
    module.OnRequest, original = Broken, OnRequest
    try:
        fresh = ArtifactStore(store._blobs, standard_registry())
        with pytest.raises(ArtifactUnloadable, match=r"can't load it \(ValueError: no\)"):
            fresh.load(ref)
    finally:
        module.OnRequest = original


def test_a_class_that_is_gone_is_unloadable(store):
    class Passing(BaseMaterializer):
        ASSOCIATED_TYPES: ClassVar[Types] = (Unknown,)
        SKIP_REGISTRATION = True

        def save(self, data):
            pass

    ref = store.save({"x": Unknown()}, choices=Choices(materializers=[Passing])).refs["x"]

    with pytest.raises(ArtifactUnloadable, match=r"no materializer .*Passing"):
        ArtifactStore(store._blobs, standard_registry()).load(ref)


def test_a_failing_hook_costs_the_preview_and_never_the_value(store):
    class Rude(TableMaterializer):
        SKIP_REGISTRATION = True

        def extract_metadata(self, data):
            raise RuntimeError("no")

        def compute_content_hash(self, data):
            raise RuntimeError("no")

    ref = store.save({"x": Table([1])}, choices=Choices(materializers=[Rude])).refs["x"]

    assert ref.preview is None
    assert ref.content is not None


@pytest.mark.parametrize("types", [(), ("Table",)], ids=repr)
def test_a_class_without_types_is_refused(types):
    with pytest.raises(DefinitionError, match="ASSOCIATED_TYPES"):
        type("Empty", (BaseMaterializer,), {"ASSOCIATED_TYPES": types})


def test_the_later_of_two_classes_is_used_with_a_warning(store):
    with pytest.warns(UserWarning, match="Second replaces .*First for .*Gadget"):
        first, second, gadget = two_for_one_type()

    assert store.save({"x": gadget()}).refs["x"].materializer.endswith("Second")
    assert first is not second


def two_for_one_type():
    class Gadget:
        pass

    class First(BaseMaterializer):
        ASSOCIATED_TYPES: ClassVar[Types] = (Gadget,)

        def save(self, data):
            pass

    class Second(BaseMaterializer):
        ASSOCIATED_TYPES: ClassVar[Types] = (Gadget,)

        def save(self, data):
            pass

    return First, Second, Gadget


@pytest.mark.parametrize("kind", ["file", "directory"])
def test_a_path_is_stored_with_what_it_leads_to_where_that_is_asked_for(
    store, tmp_path, monkeypatch, kind
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    source = tmp_path / "data"
    if kind == "file":
        source.write_text("content")
    else:
        (source / "sub").mkdir(parents=True)
        (source / "sub" / "a").write_text("content")
    choices = Choices(required={"x": [PathMaterializer]})

    ref = store.save({"x": source}, choices=choices).refs["x"]
    found = store.load(ref)

    assert isinstance(found, Path)
    assert found.name == "data"
    assert (found if kind == "file" else found / "sub" / "a").read_text() == "content"
    assert store.load(ref) == found
    assert store.preview(ref).summary == {"files": 1, "bytes": 7}


def test_a_path_is_a_value_like_any_other_otherwise(store):
    assert store.load(store.save({"x": Path("/a/b")}).refs["x"]) == Path("/a/b")
