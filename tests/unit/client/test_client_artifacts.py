"""Artifacts: what is known of them, and what happens when their bytes are not what they were."""

import os
import sys
from importlib import import_module
from pathlib import Path

import pytest

from flowkit.client import DataArtifact, Run, Task
from flowkit.exceptions import ArtifactCorrupted, ArtifactUnloadable, DataMissingError

BIG = "x" * 100_000
DIGEST_LENGTH = 64


@pytest.fixture
def run(library):
    run = library.run(parameters={"big_parameter": BIG})
    run.task(7, "fit", {"small": 1, "model": BIG})
    return run.finish()


def blob(library, digest):
    path = library.home / "objects" / digest[:2] / digest
    assert path.exists()
    return path


def damage(path):
    os.chmod(path, 0o600)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def manifest_digest(library, pathspec):
    flow, run_id, _, task_id = pathspec.split("/")
    return library.session().metadata.task(flow, run_id, int(task_id)).last.manifest


def test_an_artifact_is_described_without_being_loaded(opened, run):
    opened()
    artifact = DataArtifact("Train/1/fit/7/model")

    assert len(artifact.sha) == DIGEST_LENGTH
    assert artifact.size >= len(BIG)
    assert artifact.type == "str"
    assert artifact.materializer == "pickle"
    assert artifact.created_at == artifact.finished_at == artifact.parent.finished_at
    assert artifact.data == BIG


def test_equal_content_has_equal_sha(opened, run, library):
    library.run().task(1, "fit", {"copy": BIG, "other": BIG + "x"})
    opened()

    task = Task("Train/2/fit/1")
    assert task["copy"].sha == DataArtifact("Train/1/fit/7/model").sha != task["other"].sha


def test_a_damaged_artifact_names_run_step_task_artifact_and_path(opened, run):
    library = opened()
    artifact = DataArtifact("Train/1/fit/7/model")
    path = blob(library, artifact.sha)
    damage(path)

    with pytest.raises(ArtifactCorrupted) as caught:
        artifact.data  # noqa: B018
    assert caught.value.message.startswith("artifact 'model' of Train/1/fit/7 is damaged: ")
    assert artifact.sha in str(caught.value)
    assert Task("Train/1/fit/7").data.small == 1


def test_a_missing_artifact_is_data_missing(opened, run):
    library = opened()
    artifact = DataArtifact("Train/1/fit/7/model")
    blob(library, artifact.sha).unlink()

    with pytest.raises(DataMissingError, match="artifact 'model' of Train/1/fit/7 is gone: "):
        artifact.data  # noqa: B018
    with pytest.raises(DataMissingError, match="artifact 'model' of Train/1/fit/7 is gone: "):
        Task("Train/1/fit/7").data.model  # noqa: B018


def test_a_damaged_list_of_artifacts_names_the_task(opened, run):
    library = opened()
    damage(blob(library, manifest_digest(library, "Train/1/fit/7")))

    with pytest.raises(ArtifactCorrupted, match="list of artifacts of Train/1/fit/7 is damaged"):
        Task("Train/1/fit/7").data  # noqa: B018


def test_a_missing_list_of_artifacts_names_the_task(opened, run):
    library = opened()
    blob(library, manifest_digest(library, "Train/1/fit/7")).unlink()

    assert Task("Train/1/fit/7").successful
    with pytest.raises(DataMissingError, match="list of artifacts of Train/1/fit/7 is gone"):
        list(Task("Train/1/fit/7"))


def test_a_value_that_is_no_manifest_is_damage(opened, library):
    from flowkit.model.records import NewRun

    digest = library.store._blobs.put(b"no manifest")
    library.writer.create_run(NewRun("Odd", "ada", digest, system_tags=("user:ada",)))
    opened()

    with pytest.raises(ArtifactCorrupted, match="list of artifacts of Odd/1/_parameters/0"):
        Run("Odd/1")["_parameters"].task.data  # noqa: B018


def test_an_artifact_that_cant_be_rebuilt_here_says_so(opened, library, tmp_path, monkeypatch):
    (tmp_path / "passing_module.py").write_text("class Thing: pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    thing = import_module("passing_module").Thing()
    library.run().task(1, "start", {"thing": thing})
    del sys.modules["passing_module"]
    monkeypatch.undo()
    opened()

    with pytest.raises(ArtifactUnloadable, match="artifact 'thing' of Train/1/start/1 can't be"):
        Task("Train/1/start/1").data.thing  # noqa: B018
    assert Task("Train/1/start/1")["thing"].type == "passing_module.Thing"


def test_the_same_list_of_artifacts_is_read_once(opened, run):
    library = opened()
    task = Task("Train/1/fit/7")
    names = [artifact.id for artifact in task]
    blob(library, manifest_digest(library, "Train/1/fit/7")).unlink()

    assert [artifact.size > 0 for artifact in task] == [True for _ in names]


def test_an_artifact_shows_itself_without_being_loaded(opened, run, library):
    opened()
    artifact = DataArtifact("Train/1/fit/7/model")
    blob(library, artifact.sha).unlink()

    assert "xxxx" in repr(artifact.visualize())
    assert artifact.visualizations[0].kind == "text"
    assert artifact.run_metadata["characters"] == len(BIG)
    with pytest.raises(DataMissingError):
        artifact.load()


def test_internal_names_have_nothing_to_show(opened, run):
    opened()

    artifact = DataArtifact("Train/1/fit/7/_success")

    assert (artifact.load(), artifact.content, artifact.visualizations) == (True, "", ())


def test_artifacts_of_two_tasks_are_compared_and_equal_ones_not_loaded(opened, run, library):
    library.run().task(1, "fit", {"model": BIG + "y", "copy": BIG})
    opened()
    before, after = DataArtifact("Train/1/fit/7/model"), Task("Train/2/fit/1")
    changed = after["model"].diff(before)
    blob(library, before.sha).unlink()

    assert (changed.before, changed.after) == (str(before), str(after["model"]))
    assert not changed.is_equal
    assert after["copy"].diff(before).is_equal


def test_an_artifact_leads_to_its_task_step_and_run(opened, run):
    opened()
    artifact = DataArtifact("Train/1/fit/7/model")

    found = (artifact.task, artifact.step, artifact.run)

    assert [one.pathspec for one in found] == ["Train/1/fit/7", "Train/1/fit", "Train/1"]


def test_an_artifact_is_written_to_a_file(opened, run, tmp_path):
    opened()

    path = DataArtifact("Train/1/fit/7/small").download(str(tmp_path / "small.json"))

    assert Path(path).read_text(encoding="utf-8").strip() == "1"
