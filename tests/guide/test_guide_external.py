"""The guide's samples on use: 8 and 16 (from elsewhere), 12 (lineage), 14, 17, 18 (the store)."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowkit import Client, ExternalArtifact, save_artifact
from flowkit.exceptions import VersionInUseError

INFERENCE = """
class Inference(FlowSpec):
    model = ExternalArtifact(name="production_model")
    predictions: Annotated[Any, ArtifactConfig(name="predictions")]

    @step
    def start(self):
        self.predictions = [self.model * x for x in range(3)]
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_sample_8_inference_uses_the_latest_model_when_it_starts(guide):
    flow = guide(INFERENCE)
    outcome = flow("run")
    assert outcome.code == 4
    assert "no artifact with the name or id 'production_model'" in outcome.err

    save_artifact(2, name="production_model")
    flow.run()
    save_artifact(3, name="production_model")
    flow.run()
    client = Client()
    assert client.load_artifact("predictions", version=1) == [0, 2, 4]
    assert client.load_artifact("predictions") == [0, 3, 6]


def test_sample_16_values_are_uploaded_and_used_by_name_and_version(guide):
    flow = guide(INFERENCE.replace('name="production_model"', 'name="uploaded", version="v1"'))
    artifact = ExternalArtifact.upload_by_value(
        value=5, name="uploaded", version="v1", tags=["manual"]
    )
    again = ExternalArtifact(value=5).upload_by_value(name="uploaded", version="v1")

    assert artifact.id == again.id
    assert (artifact.tags, str(artifact)) == (("manual",), "uploaded@v1")
    assert flow.run()[1].data.predictions == [0, 5, 10]


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"value": 1, "name": "x"},
        {"name": "x", "id": "y"},
        {"version": "v1"},
        {"name": "x", "version": "v1", "alias": "a"},
        {"value": 1, "tag": "t"},
    ],
)
def test_sample_8_an_external_artifact_is_said_in_one_way(arguments):
    with pytest.raises(TypeError, match="ExternalArtifact"):
        ExternalArtifact(**arguments)


def test_sample_12_lineage_from_both_ends(guide):
    flow = guide(INFERENCE)
    uploaded = save_artifact(2, name="production_model")
    flow.run()
    client = Client()
    artifact = client.get_artifact_version("predictions")

    assert artifact.step is not None
    assert artifact.run is not None
    assert f"Created by step: {artifact.step.name}" == "Created by step: start"
    assert f"In run: {artifact.run.name}" == "In run: Inference/1"
    runs = client.list_run_steps(input_artifact_id=uploaded.id)
    assert [run_step.name for run_step in runs] == ["start"]
    assert uploaded.step is None
    assert uploaded.origin == "upload"


def test_sample_17_what_is_used_is_not_deleted(guide):
    flow = guide(INFERENCE)
    save_artifact(2, name="production_model")
    flow.run()
    save_artifact(3, name="production_model")
    client = Client()

    with pytest.raises(VersionInUseError) as refused:
        client.delete_artifact_version("production_model", version=1)
    assert refused.value.users == ("Inference/1", "Inference/1/start/1")
    client.delete_artifact_version("production_model", version=2)
    assert save_artifact(4, name="production_model").version == "3"  # type: ignore[union-attr]


def test_sample_14_the_store_has_a_path(guide):
    guide(INFERENCE)
    save_artifact(b"x" * 100_000, name="large")

    assert Path(Client().active_stack.artifact_store.path, "objects").is_dir()


UPLOAD = """
import sys
from flowkit import save_artifact
print(save_artifact(int(sys.argv[1]), name="parallel").version)
"""


def test_sample_18_eight_uploads_at_once_are_numbered_1_to_8(guide):
    flow = guide(INFERENCE)
    children = [
        subprocess.Popen(
            [sys.executable, "-c", UPLOAD, str(number)],
            env=flow.environment(),
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(8)
    ]
    versions = sorted(int(child.communicate()[0]) for child in children)

    assert versions == list(range(1, 9))


def test_nothing_is_imported_from_the_flow_to_look_at_its_artifacts(guide):
    flow = guide(
        """
class Point:
    pass

class Custom(FlowSpec):
    point: Annotated[Any, "point"]
    @step
    def start(self):
        self.point = Point()
        self.next(self.end)
    @step
    def end(self):
        pass
"""
    )
    flow.run()
    os.unlink(flow.path)
    shown = flow.store("artifact", "show", "point", "--json")

    assert json.loads(shown.out)["data_type"] == "flow.Point"
