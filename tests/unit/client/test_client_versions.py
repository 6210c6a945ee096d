"""Versions made, found, changed, compared and deleted through the client."""

import json
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from flowkit import Client
from flowkit.client.differ import difference
from flowkit.client.filters import matcher
from flowkit.client.results import Results
from flowkit.enums import ArtifactType
from flowkit.exceptions import (
    ArtifactCorrupted,
    DataMissingError,
    InvalidNameError,
    NotFoundError,
    UnpicklableArtifactException,
    UsageError,
    VersionExistsError,
    VersionInUseError,
)


@pytest.fixture
def client(opened):
    """A client of an empty store; to be called by the test, in its own context."""

    def make() -> Client:
        opened()
        return Client()

    return make


# --- making and finding ---------------------------------------------------------------------------


def test_a_saved_artifact_is_a_version_that_loads(client):
    made = client().save_artifact(
        {"a": 1},
        "settings",
        version="v1",
        tags=["b", "a"],
        artifact_type="BASE",
        metadata={"at": np.int64(3)},
    )

    assert made.load() == {"a": 1}
    assert (made.name, made.version, made.number, str(made)) == (
        "settings",
        "v1",
        None,
        "settings@v1",
    )
    assert (made.type, made.data_type) == (ArtifactType.BASE, "dict")
    assert (made.tags, made.run_metadata["at"]) == (("a", "b"), 3)
    assert (made.origin, made.task, made.step, made.run) == ("upload", None, None, None)
    assert made.state == "available"
    assert made.hash == made.digest == made.uri.partition("#")[2]


def test_a_version_is_found_in_every_way(client):
    ours = client()
    one = ours.save_artifact(1, "model", version="v1.0")
    two = ours.save_artifact(2, "model", version=7)
    three = ours.save_artifact(3, "model", version=3)
    one.alias("production")

    found = {
        text: ours.get_artifact_version(text)
        for text in ("model", "model@v1.0", "model:production", "model@latest", one.id, one.id[:12])
    }
    assert found["model"] == found["model@latest"] == three
    assert found["model@v1.0"] == found["model:production"] == one
    assert found[one.id] == found[one.id[:12]] == one
    assert ours.get_artifact_version("model", version=7) == two
    assert ours.get_artifact_version("model", "highest") == two
    assert ours.get_artifact_version("model", "production") == one
    assert ours.get_artifact("model")["v1.0"] == one
    assert ours.load_artifact("model@7") == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle", "no artifact with the name or id 'modle'; did you mean 'model'"),
        ("zzz", "there are: model"),
        ("model@9", "artifact 'model' has no version '9'; versions: 1; aliases: prod"),
        ("00000000", "no artifact with the name or id '00000000'"),
    ],
)
def test_what_is_not_found_says_what_there_is(client, text, message):
    ours = client()
    ours.save_artifact(1, "model").alias("prod")
    with pytest.raises(NotFoundError, match=message):
        ours.get_artifact_version(text)


def test_a_version_never_changes(client):
    ours = client()
    first = ours.save_artifact([1], "data", version="v1")

    assert ours.save_artifact([1], "data", version="v1") == first
    with pytest.raises(VersionExistsError):
        ours.save_artifact([2], "data", version="v1")
    with pytest.raises(InvalidNameError):
        ours.save_artifact([2], "data", version="latest")


def test_a_value_that_cannot_be_stored_is_named(client):
    with pytest.raises(UnpicklableArtifactException, match="artifact 'lines' can't be stored: "):
        client().save_artifact((line for line in "ab"), "lines")


def test_a_deleted_version_is_gone_for_good(client):
    ours = client()
    made = ours.save_artifact(1, "data")
    made.alias("kept")
    with pytest.raises(VersionInUseError, match="alias 'kept'"):
        ours.delete_artifact_version("data")
    ours.delete_artifact_version("data", force=True)

    with pytest.raises(NotFoundError, match="all versions of artifact 'data' were deleted"):
        ours.get_artifact_version("data")
    gone = ours.get_artifact_version(made.id)
    assert gone.state == "deleted"
    with pytest.raises(DataMissingError):
        gone.load()
    assert ours.save_artifact(1, "data").version == "2"


def test_only_what_nothing_uses_and_is_not_the_latest_is_pruned(client):
    ours = client()
    aliased, old, latest = (ours.save_artifact(n, "data") for n in range(3))
    aliased.alias("kept")

    assert ours.prune_artifacts() == [old]
    assert len(ours.list_artifact_versions()) == 3
    assert ours.prune_artifacts(dry_run=False) == [old]
    assert list(ours.list_artifact_versions()) == [latest, aliased]


def test_tags_metadata_and_aliases_change(client):
    ours = client()
    one, two = (ours.save_artifact(n, "data", metadata={"n": n}) for n in range(2))
    one.tag("a", "b")
    one.untag("a")
    one.log_metadata({"n": 7}, seen=True)
    one.alias("best")
    two.alias("best")

    assert (one.tags, one.run_metadata["n"], one.run_metadata["seen"]) == (("b",), 7, True)
    assert ours.get_artifact_version("data:best") == two
    history = ours.get_artifact("data").alias_history
    assert [(move.alias, move.version) for move in history] == [("best", "1"), ("best", "2")]
    assert ours.update_artifact_version(two.id, add_tags=["c"]).tags == ("c",)
    ours.get_artifact("data").remove_alias("best")
    with pytest.raises(NotFoundError):
        ours.get_artifact("data").remove_alias("best")


# --- lists ----------------------------------------------------------------------------------------


def test_lists_are_filtered(client):
    ours = client()
    ours.save_artifact(1, "a", tags=["x"], metadata={"accuracy": 0.95, "kind": "big"})
    ours.save_artifact("s", "b", tags=["x", "y"], artifact_type="MODEL", metadata={"accuracy": 0.5})
    ours.save_artifact(2, "a")

    def found(**filters):
        return [str(one) for one in ours.list_artifact_versions(**filters)]

    assert found() == ["a@2", "b@1", "a@1"]
    assert found(name="a") == ["a@2", "a@1"]
    assert found(name="a", version=1) == ["a@1"]
    assert found(tags="x") == ["b@1", "a@1"]
    assert found(tags=["x", "y"]) == ["b@1"]
    assert found(type="MODEL") == found(type=ArtifactType.MODEL) == ["b@1"]
    assert found(data_type="str") == ["b@1"]
    assert found(run_metadata=["accuracy:gte:0.9"]) == ["a@1"]
    assert found(sort_by="asc:name") == ["a@2", "a@1", "b@1"]
    assert found(sort_by="desc:version", name="a") == ["a@2", "a@1"]
    assert [one.name for one in ours.list_artifacts()] == ["a", "b"]
    with pytest.raises(UsageError):
        ours.list_artifact_versions(sort_by="up:name")
    with pytest.raises(UsageError):
        ours.list_artifact_versions(type="MODLE")


def test_lists_page_by_themselves(client):
    ours = client()
    for number in range(130):
        ours.save_artifact(number, "many")
    found = ours.list_artifact_versions(name="many")

    assert [one.version for one in found[:2]] == ["130", "129"]
    assert found[-1].version == "1"
    assert len(found) == found.total == len(found.items) == 130
    assert list(found.to_df()["version"])[:2] == ["130", "129"]


def test_a_list_loads_no_more_than_what_is_asked_for():
    loaded = []

    def load():
        for number in range(100):
            loaded.append(number)
            yield number

    found = Results(load, lambda number: {"n": number, "both": [number, None]})

    assert bool(found)
    assert found[3] == 3
    assert loaded == [0, 1, 2, 3]
    assert next(iter(found)) == 0
    assert repr(found).endswith("...")
    assert len(loaded) == 21
    assert found[::-1][0] == 99
    assert repr(Results(lambda: iter(()), dict)) == "(none)"


@pytest.mark.parametrize(
    ("condition", "is_met"),
    [
        ("n:gte:3", True), ("n:gt:3", False), ("n:lt:3.5", True), ("n:lte:2", False),
        ("n:3", True), ("n:equals:3.0", True), ("n:notequals:3", False), ("s:contains:b", True),
        ("s:startswith:ab", True), ("s:endswith:ab", False), ("s:gt:abb", True), ("n:exists", True),
        ("missing:exists", False), ("missing:notequals:1", False), ("flag:true", True),
        ("l:contains:2", True), ("n:oneof:1,2,3", True), ("n:gte:x", False), ("t:10:30", True),
        ({"n": 3}, True), ({"n": ">=3", "s": "abc"}, True), ({"n": "<3"}, False),
        (["n:3", "s:x"], False), (None, True), ("flag:gte:0", False),
    ],
)  # fmt: skip
def test_conditions_on_metadata(condition, is_met):
    metadata = {"n": 3, "s": "abc", "flag": True, "l": [1, 2], "t": "10:30"}

    assert matcher(condition)(metadata) is is_met


@pytest.mark.parametrize("condition", ["n", ":x", ""])
def test_a_condition_that_cannot_be_read_is_refused(condition):
    with pytest.raises(UsageError):
        matcher(condition)


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "name", "read"),
    [
        (b"ab", "x.bin", lambda path: path.read_bytes() == b"ab"),
        ("/etc/passwd", "x.txt", lambda path: path.read_text() == "/etc/passwd"),
        ({"a": [1]}, "x.json", lambda path: json.loads(path.read_text()) == {"a": [1]}),
        ([1], "x.pkl", lambda path: pickle.loads(path.read_bytes()) == [1]),
        (pd.DataFrame({"a": [1]}), "x.csv", lambda path: "a" in path.read_text()),
        (pd.DataFrame({"a": [1]}), "x.parquet", lambda path: len(pd.read_parquet(path)) == 1),
    ],
)
def test_values_are_downloaded_as_what_people_can_open(client, tmp_path, value, name, read):
    made = client().save_artifact(value, "value")

    assert read(Path(made.download(str(tmp_path / name))))


def test_a_value_of_no_such_form_is_not_downloaded(client, tmp_path):
    with pytest.raises(UsageError, match=r"a list can't be written as \.png"):
        client().save_artifact([1], "value").download(str(tmp_path / "x.png"))


@pytest.mark.parametrize("fingerprint", ["sha256", "size+mtime"])
def test_registered_data_stay_where_they_are_and_are_checked(client, tmp_path, fingerprint):
    ours = client()
    path = tmp_path / "raw.csv"
    path.write_text("a,b")
    made = ours.register_artifact(str(path), "raw", fingerprint=fingerprint)

    assert made.load() == path
    path.write_text("a,b,c")
    with pytest.raises(ArtifactCorrupted, match="was changed since it was registered"):
        made.load()
    path.unlink()
    with pytest.raises(DataMissingError):
        made.load()


@pytest.mark.parametrize("path", ["s3://b/x", "/nothing/here"])
def test_what_is_not_there_cannot_be_registered(client, path):
    with pytest.raises((UsageError, DataMissingError)):
        client().register_artifact(path, "raw")
    with pytest.raises(UsageError, match="unknown fingerprint"):
        client().register_artifact(path, "raw", fingerprint="etag")


def test_a_version_can_be_pickled(client):
    made = client().save_artifact([1], "value")

    assert pickle.loads(pickle.dumps(made)) == made


# --- differences ----------------------------------------------------------------------------------


def test_versions_are_compared(client):
    ours = client()
    one = ours.save_artifact({"a": 1, "b": [1, 2]}, "config")
    same = ours.save_artifact({"a": 1, "b": [1, 2]}, "config")
    other = ours.save_artifact({"a": 1, "b": [1, 3], "c": 2}, "config")

    assert same.diff(one).is_equal
    assert str(same.diff()) == "config@1 and config@2 have the same content"
    assert other.diff().lines == ("['b'][1]: 2 -> 3", "['c']: added, 2")
    assert other.diff("1").before == "config@1"
    assert [str(one) for one in other.versions()] == ["config@3", "config@2", "config@1"]
    with pytest.raises(UsageError, match="is the first version"):
        one.diff()


@pytest.mark.parametrize(
    ("old", "new", "lines"),
    [
        (1, 1, []),
        (1, 2, ["1 -> 2"]),
        (1, "1", ["type int -> str"]),
        ({"a": {"b": 1}}, {"a": {}}, ["['a']['b']: removed, was 1"]),
        ([1, 2], [1], ["length 2 -> 1"]),
        ("a\nb\n", "a\nc\n", ["@@ -1,2 +1,2 @@", " a", "-b", "+c"]),
        (np.zeros(3), np.array([0, 0, 2.5]), ["1 of 3 elements differ, by at most 2.5"]),
        (np.array([np.nan]), np.array([np.nan]), []),
        (np.zeros(3), np.zeros((3, 1)), ["shape (3,) -> (3, 1)"]),
        (np.zeros(1), np.zeros(1, "f4"), ["dtype float64 -> float32"]),
        (
            pd.DataFrame({"a": [1, 2], "b": [1, 2]}),
            pd.DataFrame({"a": [1, 3], "c": [1, 2]}),
            ["columns removed: b", "columns added: c", "column a: 1 cells differ, in rows 1"],
        ),
        (pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [1, 2]}), ["rows 1 -> 2"]),
        (
            pd.DataFrame({"a": [1]}),
            pd.DataFrame({"a": [1.0]}, index=[5]),
            ["column a: dtype int64 -> float64", "the index differs"],
        ),
        (pd.DataFrame({"a": [None, "x"]}), pd.DataFrame({"a": [None, "x"]}), []),
    ],
)
def test_differences_in_the_words_of_the_type(old, new, lines):
    assert list(difference("a", "b", old, new).lines) == lines


def test_of_very_many_differences_the_first_are_listed():
    found = difference("a", "b", dict.fromkeys(range(500), 1), dict.fromkeys(range(500), 2))

    assert len(found.lines) == 201
    assert found.lines[-1] == "..."


# --- around ---------------------------------------------------------------------------------------


def test_the_stack_says_where_values_are(client):
    assert Client is type(client())
    assert client().active_stack.metadata.startswith("sqlite:///")


def test_metadata_of_a_run_can_be_logged_from_outside(client, library):
    ours = client()
    run = library.run()
    ours.log_metadata({"note": "good"}, run=run.pathspec)

    assert ours.get_pipeline_run("Train/1").run_metadata == {"note": "good"}
    assert ours.get_pipeline_run("Train/1").name == "Train/1"
    with pytest.raises(NotFoundError):
        ours.log_metadata({"note": "good"}, run="Train/9")
