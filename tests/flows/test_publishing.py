"""Artifacts of tasks that get a name later: the same bytes, the same maker, the same lineage."""

import json

import pytest

from flowkit import Client
from flowkit.exceptions import NotFoundError, UsageError, VersionExistsError

FLOW = """
class Train(FlowSpec):
    k = Parameter("k", default=2)

    @step
    def start(self):
        self.data = list(range(100_000))
        self.next(self.fit)

    @step
    def fit(self):
        self.model = {"k": self.k, "n": len(self.data)}
        self.next(self.end)

    @step
    def end(self):
        self.score = self.model["n"]
"""
MODEL = "Train/1/fit/2/model"


@pytest.fixture
def train(program):
    """A flow that has run once; what it made has no names."""
    flow = program(FLOW)
    flow.run()
    return flow


def client_of(flow):
    flow.read("Train")  # from now on the client reads from this flow's store
    return Client()


def stored_files(flow):
    return {path for path in flow.directory.glob(".flowkit/objects/*/*") if path.is_file()}


def test_a_named_artifact_is_made_of_what_a_task_has_left_without_copying(train):
    before = stored_files(train)

    data = client_of(train).publish_artifact("Train/1/start/1/data", "data", "v1", tags=["raw"])

    assert stored_files(train) == before
    assert (str(data), data.tags, data.load()[-1]) == ("data@v1", ("raw",), 99_999)
    assert data.task.pathspec == "Train/1/start/1"
    assert data.run_metadata["items"] == 100_000


def test_who_made_it_is_told_also_when_a_later_task_hands_it_on(train):
    model = client_of(train).publish_artifact("Train/1/end/3/model", "model")

    assert model.task.pathspec == "Train/1/fit/2"
    assert [task.pathspec for task in model.consumers()] == ["Train/1/end/3"]
    assert "Train/1/start/1/data" in model.lineage().nodes


def test_the_rules_for_versions_hold(train):
    client = client_of(train)
    client.publish_artifact(MODEL, "model", "v1")

    assert str(client.publish_artifact(MODEL, "model", "v1")) == "model@v1"
    with pytest.raises(VersionExistsError, match="model@v1"):
        client.publish_artifact("Train/1/end/3/score", "model", "v1")


def test_what_can_not_be_published_is_said(train):
    client = client_of(train)
    client.publish_artifact(MODEL, "model")

    with pytest.raises(NotFoundError, match="'Train/1/fit/2/nothing' does not exist"):
        client.publish_artifact("Train/1/fit/2/nothing", "x")
    with pytest.raises(UsageError, match="model@1 is a version already"):
        client.publish_artifact("model@1", "x")
    with pytest.raises(UsageError, match="there is nothing stored"):
        client.publish_artifact("Train/1/fit/2/_success", "x")


def test_its_run_is_kept_while_it_is_there(train):
    train.store("artifact", "publish", MODEL, "--name", "model", "--tag", "good")

    deleted = train.store("delete", "Train/1", "--yes")

    assert deleted.code != 0
    assert "model@1" in deleted.err


def test_lineage_of_an_artifact_without_a_name_goes_both_ways(train):
    lineage = train.read(MODEL).lineage()

    edges = set(lineage.edges)
    assert ("Train/1/start/1/data", "Train/1/fit/2") in edges
    assert ("Train/1/fit/2", MODEL) in edges
    assert (MODEL, "Train/1/end/3") in edges


def test_the_command_line_takes_artifacts_of_tasks_as_well(train, tmp_path):
    train.run("--k", "3")

    shown = train.store("artifact", "show", MODEL)
    facts = json.loads(train.store("artifact", "show", MODEL, "--json").out)
    differs = train.store("artifact", "diff", MODEL, "Train/2/fit/2/model")
    lineage = train.store("artifact", "lineage", MODEL)
    written = train.store("artifact", "download", MODEL, "model.json")

    assert "made_by: Train/1/fit/2" in shown.out
    assert facts["data_type"] == "dict"
    assert (differs.code, "k" in differs.out) == (1, True)
    assert "Train/1/end" in lineage.out
    assert json.loads((tmp_path / "model.json").read_text()) == {"k": 2, "n": 100_000}
    assert written.code == 0


def test_a_difference_needs_two_artifacts_of_tasks(train):
    outcome = train.store("artifact", "diff", MODEL)

    assert outcome.code == 2
    assert "give AFTER" in outcome.err
