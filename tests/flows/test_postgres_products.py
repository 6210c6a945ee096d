"""What flows leave for others, reused results and versions of artifacts, kept in PostgreSQL."""

import pytest

from flowkit import Client, default_metadata, namespace

pytestmark = pytest.mark.postgres

TRAIN = """
from typing import Annotated, Any
from flowkit import ArtifactConfig, log_artifact_metadata

class Train(FlowSpec):
    alpha = Parameter("alpha", default=1)
    model: Annotated[Any, ArtifactConfig(name="model", tags=["good"], run_metadata={"kind": "x"})]
    part: Annotated[Any, ArtifactConfig(name="part", per_task=True)]

    @step
    def start(self):
        self.items = [1, 2, 3]
        self.next(self.fit, foreach="items")

    @step
    def fit(self):
        self.part = self.input * self.alpha
        self.next(self.join)

    @step
    def join(self, inputs):
        self.model = {"weights": [task.part for task in inputs]}
        log_artifact_metadata(artifact_name="model", metadata={"accuracy": 0.5 + self.alpha / 10})
        self.next(self.end)

    @step
    def end(self):
        print("trained", self.model["weights"])
"""
PREDICT = """
from flowkit import ExternalArtifact

class Predict(FlowSpec):
    model = ExternalArtifact(name="model", where={"accuracy": ">=0.55"})

    @step
    def start(self):
        self.result = sum(self.model["weights"])
        self.next(self.end)

    @step
    def end(self):
        print("predicted", self.result)
"""


@pytest.fixture
def shared(postgres_url, monkeypatch, tmp_path):
    """The variables of commands; the client here looks at the same store."""
    monkeypatch.setenv("FLOWKIT_METADATA", postgres_url)
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path))
    return {"FLOWKIT_METADATA": postgres_url}


def client():
    default_metadata()
    namespace(None)
    return Client()


def started(outcome):
    return outcome.out.count("Task is starting")


def test_results_are_reused_found_explained_and_forgotten(program, shared):
    flow = program(TRAIN)
    first = flow("run", "--cache", **shared)
    second = flow("run", "--cache", **shared)
    other = flow("run", "--cache", "--alpha", "2", **shared)
    listed = flow.store("cache", "ls", "Train", **shared)
    explained = flow.store("cache", "explain", "Train/3/fit", **shared)
    cleared = flow.store("cache", "rm", "Train", **shared)
    again = flow("run", "--cache", **shared)

    assert [started(each) for each in (first, second, other, again)] == [6, 0, 5, 6]
    assert "6 of 6 tasks cached" in second.out
    assert "trained [2, 4, 6]" in other.lines
    assert (listed.code, explained.code, cleared.code) == (0, 0, 0), listed.err + cleared.err
    assert "Train/3/" in listed.out
    assert "alpha" in explained.out


def test_versions_are_made_found_used_followed_and_deleted(program, shared):
    trained = [program(TRAIN)("run", "--alpha", alpha, **shared) for alpha in ("1", "2")]
    predicted = program(PREDICT, "predict.py")("run", **shared)
    ours = client()
    first, second = (ours.get_artifact_version("model", version=number) for number in (1, 2))

    assert [each.code for each in (*trained, predicted)] == [0, 0, 0], predicted.err
    assert predicted.lines == ["predicted 12"]
    assert [str(each) for each in ours.list_artifact_versions()] == [
        *("model@2", "part@6", "part@5", "part@4"),
        *("model@1", "part@3", "part@2", "part@1"),
    ]
    assert [str(v) for v in ours.list_artifact_versions("model", tags="good")] == [
        "model@2",
        "model@1",
    ]
    better = ours.list_artifact_versions(run_metadata=["accuracy:gt:0.65"])
    assert [str(each) for each in better] == ["model@2"]
    assert second.load() == {"weights": [2, 4, 6]}
    assert [task.pathspec for task in second.consumers()] == ["Train/2/end/6", "Predict/1/start/1"]
    assert "Predict/1/start/1" in str(ours.lineage(second).nodes)
    first.alias("production")
    assert str(ours.get_artifact_version("model:production")) == "model@1"
    ours.delete_artifact_version(ours.get_artifact_version("part", version=1).id, force=True)
    assert "part@1" not in map(str, ours.list_artifact_versions("part"))


def test_commands_tell_of_versions(program, shared):
    flow = program(TRAIN)
    flow("run", **shared)
    shown = flow.store("artifact", "show", "model@1", **shared)
    listed = flow.store("artifact", "list", **shared)
    lineage = flow.store("artifact", "lineage", "model@1", **shared)

    assert [each.code for each in (shown, listed, lineage)] == [0, 0, 0], shown.err + listed.err
    assert "Train/1/join" in shown.out
    assert "part" in listed.out
    assert "Train/1/fit" in lineage.out


def test_a_version_with_other_content_is_refused_and_one_with_the_same_taken_over(program, shared):
    source = TRAIN.replace('name="model", tags', 'name="model", version="v1", tags')
    codes = [program(source)("run", "--alpha", n, **shared).code for n in ("1", "2", "1")]

    assert codes == [0, 1, 0]
    assert [str(each) for each in client().list_artifact_versions("model")] == ["model@v1"]
