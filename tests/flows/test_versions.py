"""Named artifacts through real runs: what makes versions, what doesn't, and what refuses to run."""

import json

import pytest

from flowkit import Client, metadata, namespace
from flowkit.client.lineagegraph import to_dot, to_json

NAMED = "from typing import Annotated, Any\nfrom flowkit import *\nfrom pathlib import Path\n"

TRAIN = (
    NAMED
    + """
class Train(FlowSpec):
    data: Annotated[list, ArtifactConfig(name="data", version="v1")]
    model: Annotated[Any, ArtifactConfig(name="model", tags=["t"])]
    note: str
    k = Parameter("k", default=1)

    @step
    def start(self):
        self.data = [1, 2]  # the data
        self.next(self.fit)

    @step
    def fit(self):
        self.model = {"k": self.k, "n": len(self.data)}
        self.annotate("model", accuracy=self.k / 10)
        self.note = "fitted"
        self.next(self.end)

    @step
    def end(self):
        self.annotate("model", judged=self.model["n"])
"""
)


@pytest.fixture
def client():
    """A function that returns the client of a program's store."""

    def of(program) -> Client:
        metadata(str(program.directory))
        namespace(None)
        return Client()

    return of


def labels(found):
    return [str(one) for one in found]


def test_named_artifacts_become_versions_when_their_task_is_committed(program, client):
    train = program(TRAIN)
    train.run()
    train.run("--k", "2")
    ours = client(train)
    data, model = ours.get_artifact_version("data"), ours.get_artifact_version("model")

    assert labels(ours.list_artifact_versions()) == ["model@2", "model@1", "data@v1"]
    assert (model.load(), model.tags) == ({"k": 2, "n": 2}, ("t",))
    assert model.run_metadata["accuracy"] == 0.2
    assert model.run_metadata["judged"] == 2
    assert (model.run.name, model.step.name, model.task.id) == ("Train/2", "fit", "2")
    assert data.run.name == "Train/1"
    assert [task.pathspec for task in data.consumers()] == ["Train/1/fit/2", "Train/2/fit/2"]
    assert [task.name for task in model.consumers()] == ["end"]
    assert [task.pathspec for task in ours.list_run_steps(input_artifact_id=data.id)] == [
        "Train/1/fit/2",
        "Train/2/fit/2",
    ]
    assert labels(ours.list_artifact_versions(pipeline_run="Train/2")) == ["model@2", "data@v1"]


def test_a_chosen_version_with_other_content_is_refused_before_the_first_task(program, client):
    train = program(TRAIN)
    train.run()
    train.path.write_text(train.path.read_text().replace("[1, 2]", "[1, 2, 3]"))
    outcome = train("run")

    assert outcome.code == 8
    assert "data@v1 was made by Train/1/start/1, and step 'start' has changed since" in outcome.err
    assert "Task is starting" not in outcome.out
    assert len(list(train.read("Train"))) == 1


def test_a_comment_is_no_change(program):
    train = program(TRAIN)
    train.run()
    train.path.write_text(train.path.read_text().replace("# the data", "# the same data"))
    train.run()


def test_a_conflict_that_nobody_could_foresee_fails_the_task(program, client):
    flow = program(
        NAMED
        + """
class Clash(FlowSpec):
    data: Annotated[Any, ArtifactConfig(name="data", version="v1")]
    value = Parameter("value", default=1)
    @retry(times=2)
    @step
    def start(self):
        self.data = self.value
        self.next(self.end)
    @step
    def end(self):
        pass
"""
    )
    flow.run()
    outcome = flow("run", "--value", "2")

    assert outcome.code == 1
    assert "VersionExistsError: artifact version data@v1 exists already with other" in outcome.err
    assert outcome.out.count("Task is starting.") == 1
    run = flow.read("Clash/2")
    assert [task.status for task in run["start"]] == ["failed"]
    assert labels(client(flow).list_artifact_versions()) == ["data@v1"]


def test_retries_make_one_version_and_failed_runs_none(program, client):
    flow = program(
        NAMED
        + """
class Flaky(FlowSpec):
    data: Annotated[Any, "data"]
    fails = Parameter("fails", default=1)
    @retry(times=1, minutes_between_retries=0)
    @step
    def start(self):
        self.data = current.retry_count
        if current.retry_count < self.fails:
            raise ValueError("again")
        self.next(self.end)
    @step
    def end(self):
        pass
"""
    )
    flow.run()
    assert flow("run", "--fails", "2").code == 1
    (made,) = client(flow).list_artifact_versions()

    assert made.load() == 1


def test_resumed_tasks_are_linked_to_the_versions_that_are_there(program, client):
    flow = program(
        TRAIN.replace(
            'self.annotate("model", judged=self.model["n"])',
            'assert Path("ok").exists()\n        print(self.model)',
        )
    )
    assert flow("run").code == 1
    (flow.directory / "ok").touch()
    assert flow("resume").code == 0
    ours = client(flow)
    model = ours.get_artifact_version("model")

    assert labels(ours.list_artifact_versions()) == ["model@1", "data@v1"]
    assert model.run.name == "Train/1"
    outputs = ours.list_artifact_versions(pipeline_run="Train/2")
    assert labels(outputs) == ["model@1", "data@v1"]
    # The fit of the second run took over what that of the first had read.
    consumers = ours.get_artifact_version("data").consumers()
    assert [task.pathspec for task in consumers] == ["Train/1/fit/2", "Train/2/fit/2"]
    assert [task.origin_pathspec for task in consumers] == [None, "Train/1/fit/2"]


def test_a_value_of_the_wrong_type_fails_at_its_line(program):
    flow = program(TRAIN.replace('self.note = "fitted"', "self.note = 7"))
    outcome = flow("run")
    line = flow.line_of("self.note = 7")

    assert outcome.code == 1
    assert (
        f"flow 'Train', step 'fit', line {line}: self.note is declared as str, but a value of "
        "type int was assigned"
    ) in outcome.err


def test_a_read_of_what_nobody_assigns_is_a_warning_of_check(program):
    flow = program(TRAIN.replace('self.model["n"]', "self.modle"))
    outcome = flow("check", "--warnings")

    assert outcome.code == 0
    assert "step 'end' reads self.modle, which no step before it assigns" in outcome.err
    assert "self.modle" not in flow("check").err


def test_show_prints_the_contract_of_the_data(program):
    flow = program(TRAIN)

    assert "    data: list = data@v1  (start -> fit)\n" in flow("show").out
    (first, *_) = json.loads(flow("show", "--json").out)["artifacts"]
    assert (first["name"], first["version"], first["made_in"]) == ("data", "v1", ["start"])


def test_lineage_goes_back_and_forth(program, client):
    train = program(TRAIN)
    train.run()
    user = program(
        NAMED
        + """
class Use(FlowSpec):
    model = ExternalArtifact(name="model")
    result: Annotated[Any, "result"]
    @step
    def start(self):
        self.half = self.model["n"] / 2
        self.next(self.end)
    @step
    def end(self):
        self.result = self.half
""",
        "use.py",
    )
    user.run()
    ours = client(train)
    lineage = ours.lineage("result", direction="up")

    assert [node.id for node in lineage.tasks()] == [
        "Use/1/end/2",
        "Use/1/start/1",
        "Train/1/fit/2",
        "Train/1/start/1",
    ]
    assert [node.label for node in lineage.artifacts()] == [
        "result@1", "half", "model@1", "k", "data@v1",
    ]  # fmt: skip
    assert [node.id for node in ours.lineage("data", depth=1).tasks()] == [
        "Train/1/start/1",
        "Train/1/fit/2",
    ]
    down = ours.lineage("data", direction="down")
    assert "result@1" in [node.label for node in down.artifacts()]
    assert "Use/1/end/2" in [node.id for node in down.tasks()]
    assert '"Train/1/fit/2" -> "Train/1/fit/2/model";' in to_dot(lineage)
    assert to_json(lineage)["root"] == "Use/1/end/2/result"
    assert str(lineage).splitlines()[:3] == ["result@1", "made of", "  <- task Use/1/end/2"]
    events = ours.openlineage(lineage)
    assert {event["job"]["name"] for event in events} == {
        "Use.end", "Use.start", "Train.fit", "Train.start",
    }  # fmt: skip


def test_the_lineage_of_a_resumed_run_leads_to_its_origin(program, client):
    flow = program(
        TRAIN.replace(
            'self.annotate("model", judged=self.model["n"])',
            """\
assert Path("ok").exists()
        self.save_artifact("final", [self.note])""",
        )
    )
    assert flow("run").code == 1
    (flow.directory / "ok").touch()
    assert flow("resume").code == 0
    lineage = client(flow).lineage("final", direction="up")

    assert [node.id for node in lineage.tasks()] == [
        "Train/2/end/3",
        "Train/1/fit/2",
        "Train/1/start/1",
    ]


def test_the_lineage_of_a_cached_run_leads_to_where_its_results_were_made(program, client):
    flow = program(TRAIN.replace("    note: str", "    note: str\n    enable_cache = True"))
    flow.run()
    flow.path.write_text(flow.path.read_text().replace("/ 10", "/ 20"))
    flow.run()
    ours = client(flow)
    nodes = [node.id for node in ours.lineage("model", direction="up").tasks()]

    assert nodes == ["Train/2/fit/2", "Train/1/start/1"]
    flow.run()
    consumers = ours.get_artifact_version("data").consumers()
    assert [(task.pathspec, task.origin_pathspec) for task in consumers] == [
        ("Train/1/fit/2", None),
        ("Train/2/fit/2", None),
        ("Train/3/fit/2", "Train/2/fit/2"),
    ]


# --- external artifacts ---------------------------------------------------------------------------

USE = (
    NAMED
    + """
class Use(FlowSpec):
    model = ExternalArtifact(name="model"{how})
    @step
    def start(self):
        self.seen = self.model
        self.next(self.end)
    @step
    def end(self):
        self.again = self.model
"""
)


def test_an_external_artifact_is_decided_once_per_run(program, client):
    flow = program(USE.format(how=""))
    ours = client(flow)
    one = ours.save_artifact("one", "model")
    _, first = flow.run()
    ours.save_artifact("two", "model")
    outcome, second = flow.run()
    _, pinned = flow.run("--pin", f"model={one.id}")

    assert [run.data.again for run in (first, second, pinned)] == ["one", "two", "one"]
    assert "model -> model@2 (" in outcome.out
    assert [task.pathspec for task in one.consumers()] == [
        "Use/1/start/1", "Use/1/end/2", "Use/3/start/1", "Use/3/end/2",
    ]  # fmt: skip
    assert flow("run", "--pin", "modle=model@1").code == 2


@pytest.mark.parametrize(
    ("how", "value"),
    [
        (', version="v1"', "one"),
        (', alias="production"', "one"),
        (', tag="good"', "two"),
        (', where={"accuracy": ">=0.9"}', "two"),
        ("", "three"),
    ],
)
def test_an_external_artifact_is_selected(program, client, how, value):
    flow = program(USE.replace("{how}", how))
    ours = client(flow)
    ours.save_artifact("one", "model", version="v1").alias("production")
    ours.save_artifact("two", "model", tags=["good"], metadata={"accuracy": 0.95})
    ours.save_artifact("three", "model", metadata={"accuracy": 0.5})

    assert flow.run()[1].data.seen == value


def test_external_artifacts_that_are_missing_are_listed_together(program, client):
    flow = program(
        USE.format(how=', version="v9"').replace(
            "    @step", '    other = ExternalArtifact(name="modle")\n    @step', 1
        )
    )
    client(flow).save_artifact("one", "model", version="v1")
    outcome = flow("run")

    assert outcome.code == 4
    assert "'model': artifact 'model' has no version 'v9'; versions: v1" in outcome.err
    assert "'other': there is no artifact with the name or id 'modle'; did you mean" in outcome.err
    assert "Task is starting" not in outcome.out


def test_resume_keeps_what_external_artifacts_stood_for(program, client):
    flow = program(
        USE.format(how="").replace("self.again", 'assert Path("ok").exists()\n        self.again')
    )
    ours = client(flow)
    ours.save_artifact("one", "model")
    assert flow("run").code == 1
    ours.save_artifact("two", "model")
    (flow.directory / "ok").touch()
    assert flow("resume").code == 0

    assert flow.read("Use/2").data.again == "one"
    used = ours.get_artifact_version("model@1").consumers()
    assert "Use/2/end/2" in [task.pathspec for task in used]


def test_parameters_and_values_can_be_external_artifacts(program, client):
    flow = program(
        NAMED
        + """
class Mixed(FlowSpec):
    chosen = Parameter("chosen", type=ArtifactSelector, required=True)
    given = ExternalArtifact(value=lambda: [7])
    unnamed = ExternalArtifact(pathspec="Train/latest/fit/note")
    @step
    def start(self):
        print(self.chosen, self.given, self.unnamed, load_artifact("data"))
        self.next(self.end)
    @step
    def end(self):
        pass
""",
        "mixed.py",
    )
    program(TRAIN).run()
    outcome, _ = flow.run("--chosen", "artifact:model@1")

    assert "{'k': 1, 'n': 2} [7] fitted [1, 2]" in outcome.lines
    data = client(flow).get_artifact_version("data")
    assert "Mixed/1/start/1" in [task.pathspec for task in data.consumers()]


def test_an_external_artifact_is_read_only(program, client):
    flow = program(USE.format(how="").replace("self.seen = self.model", "self.model = 1"))
    client(flow).save_artifact("one", "model")
    outcome = flow("run")

    assert outcome.code == 1
    assert "AttributeError: can't set 'model'" in outcome.err


# --- the command line -----------------------------------------------------------------------------


def test_the_commands_for_artifacts(program, tmp_path):
    train = program(TRAIN)
    train.run()
    train.run("--k", "2")

    def artifact(*arguments: str, code: int = 0) -> str:
        outcome = train.store("artifact", *arguments)
        assert outcome.code == code, outcome.out + outcome.err
        return str(outcome.out + outcome.err)

    assert [row["name"] for row in json.loads(artifact("list", "--json"))] == ["data", "model"]
    found = json.loads(artifact("versions", "model", "--where", "accuracy:gte:0.2", "--json"))
    assert [row["version"] for row in found] == ["2"]
    assert "did you mean 'model'" in artifact("versions", "modle", code=4)
    assert "made_by: Train/2/fit/2" in artifact("show", "model")
    assert json.loads(artifact("show", "model@1", "--json"))["metadata"]["accuracy"] == 0.1
    assert "['k']: 1 -> 2" in artifact("diff", "model@1", "model@2", code=1)
    assert "have the same content" in artifact("diff", "model@1", "model@1")
    assert "model@2: best, t" in artifact("tag", "model", "--add", "best")
    assert "model:production is model@1" in artifact("alias", "model", "production", "1")
    assert "model@1" in artifact("alias", "model", "production")
    assert "production" in artifact("alias", "model")
    assert "alias 'production'" in artifact("delete", "model@1", code=8)
    assert "is gone" in artifact("alias", "model", "production", "--remove")
    path = str(tmp_path / "model.json")
    artifact("download", "model", path)
    assert json.loads((tmp_path / "model.json").read_text()) == {"k": 2, "n": 2}
    assert "file@v1" in artifact("upload", path, "--name", "file", "--version", "v1", "--tag", "x")
    assert "raw@1" in artifact("upload", path, "--name", "raw", "--in-place")
    artifact("download", "file", str(tmp_path / "copy.json"))
    assert (tmp_path / "copy.json").read_text() == (tmp_path / "model.json").read_text()
    assert "is deleted" in artifact("delete", "model@1", "--force")
    assert "was deleted by tester" in artifact("show", "model@1", code=4)
    assert "<- task Train/2/fit/2" in artifact("lineage", "model", "--direction", "up")
    assert "digraph lineage" in artifact("lineage", "data", "--dot")
    assert json.loads(artifact("lineage", "data", "--json"))["root"] == "Train/1/start/1/data"
    (event, *_) = artifact("lineage", "model", "--openlineage").splitlines()
    assert json.loads(event)["eventType"] == "COMPLETE"
