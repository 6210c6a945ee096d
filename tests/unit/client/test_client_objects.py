"""What every object of the client promises: pathspecs, errors, order, tags, attempts."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from flowkit.client import DataArtifact, Flow, Flows, Run, Step, Task, namespace
from flowkit.enums import Status
from flowkit.exceptions import InvalidPathspecError, NamespaceMismatchError, NotFoundError

PATHSPECS: dict[Any, str] = {
    Flow: "Train",
    Run: "Train/1",
    Step: "Train/1/fit",
    Task: "Train/1/fit/2",
    DataArtifact: "Train/1/fit/2/x",
}


@pytest.fixture
def trained(library):
    run = library.run(tags=["nightly"], parameters={"alpha": 1})
    run.task(1, "start", {"x": 0})
    run.task(2, "fit", {"x": 1, "_hidden": 2}, inputs=(1,))
    run.task(3, "end", {"x": 2}, inputs=(2,))
    return run.finish()


@pytest.mark.parametrize(("kind", "pathspec"), PATHSPECS.items(), ids=str)
def test_an_object_knows_its_address(opened, trained, kind, pathspec):
    opened()
    found = kind(pathspec)

    assert found.pathspec == pathspec
    assert found.id == pathspec.split("/")[-1]
    assert found.path_components == pathspec.split("/")
    assert repr(found) == f"{kind.__name__}('{pathspec}')"


@pytest.mark.parametrize("kind", PATHSPECS, ids=lambda kind: kind.__name__)
def test_a_pathspec_of_another_length_is_refused_with_the_expected_form(opened, trained, kind):
    opened()
    length = len(PATHSPECS[kind].split("/"))
    form = "/".join(["Flow", "run", "step", "task", "artifact"][:length])
    for other in PATHSPECS.values():
        if other != PATHSPECS[kind]:
            with pytest.raises(InvalidPathspecError, match=f"'{form}'"):
                kind(other)


@pytest.mark.parametrize(
    ("kind", "pathspec"),
    [
        (Flow, "Other"),
        (Run, "Other/1"),
        (Run, "Train/9"),
        (Step, "Train/1/other"),
        (Step, "Train/9/fit"),
        (Task, "Train/1/fit/9"),
        (Task, "Train/1/start/2"),
        (Task, "Train/1/_parameters/1"),
        (DataArtifact, "Train/1/fit/2/other"),
        (DataArtifact, "Train/1/fit/9/x"),
    ],
)
def test_what_is_not_there_is_not_found(opened, trained, kind, pathspec):
    opened()

    with pytest.raises(NotFoundError, match="does not exist"):
        kind(pathspec)


def test_children_are_iterated_newest_first(opened, library, trained):
    second = library.run()
    for task_id in (1, 2, 3):
        second.task(task_id, "start")
    opened()

    assert [run.id for run in Flow("Train")] == ["2", "1"]
    assert [step.id for step in Run("Train/1")] == ["end", "fit", "start"]
    assert [task.id for task in Step("Train/2/start")] == ["3", "2", "1"]
    assert [artifact.id for artifact in Task("Train/1/fit/2")] == ["x"]


def test_children_are_taken_by_id(opened, trained):
    opened()

    artifact = Flow("Train")["1"]["fit"]["2"]["x"]

    assert artifact.pathspec == "Train/1/fit/2/x"
    assert isinstance(artifact, DataArtifact)


@pytest.mark.parametrize("name", ["9", "", "a/b", "no such thing"])
def test_an_absent_child_is_a_key_error(opened, trained, name):
    opened()
    for container in (Flow("Train"), Run("Train/1"), Step("Train/1/fit"), Task("Train/1/fit/2")):
        assert name not in container
        with pytest.raises(KeyError, match=repr(name)):
            container[name]


def test_children_that_are_there_are_in_their_parent(opened, trained):
    opened()

    assert "1" in Flow("Train")
    assert "fit" in Run("Train/1")
    assert "2" in Step("Train/1/fit")
    assert "x" in Task("Train/1/fit/2")


def test_parents_lead_back_up(opened, trained):
    opened()
    artifact = DataArtifact("Train/1/fit/2/x")

    ancestors: list[Any] = [artifact.parent]
    while ancestors[-1].parent is not None:
        ancestors.append(ancestors[-1].parent)

    assert [repr(ancestor) for ancestor in ancestors] == [
        "Task('Train/1/fit/2')",
        "Step('Train/1/fit')",
        "Run('Train/1')",
        "Flow('Train')",
    ]


def test_shells_are_offered_the_ids_of_the_children(opened, trained):
    opened()

    assert Run("Train/1")._ipython_key_completions_() == ["end", "fit", "start"]


def test_objects_are_compared_by_identity(opened, trained):
    opened()

    assert Run("Train/1") != Run("Train/1")
    assert len({Run("Train/1"), Run("Train/1")}) == 2


def test_the_tags_of_a_run_are_those_of_everything_in_it(opened, trained):
    opened()
    for pathspec in list(PATHSPECS.items())[1:]:
        found = pathspec[0](pathspec[1])
        assert found.user_tags == frozenset({"nightly"})
        assert found.system_tags == frozenset({"user:ada", "runtime:dev"})
        assert found.tags == found.user_tags | found.system_tags


def test_a_flow_has_no_tags_of_its_own(opened, trained):
    opened()

    assert Flow("Train").tags == frozenset()


def test_times_are_naive_and_local(opened, trained):
    opened()
    now = datetime.now()  # noqa: DTZ005 - what the client gives
    for kind, pathspec in PATHSPECS.items():
        created = kind(pathspec).created_at
        assert created.tzinfo is None
        assert now - timedelta(minutes=1) < created <= now


def test_finished_at_is_when_the_tasks_ended(opened, library):
    run = library.run()
    moment = datetime(2026, 1, 31, 12, 0, 0, 123456)  # noqa: DTZ001 - what the client gives
    micros = int(moment.replace(microsecond=0).timestamp()) * 1_000_000 + 123456
    run.task(1, "end", {"x": 1}, finished_at=micros - 1)
    run.task(2, "end", {"x": 1}, finished_at=micros)
    opened()

    assert Task("Train/1/end/2").finished_at == moment
    assert Step("Train/1/end").finished_at == moment
    assert Run("Train/1").finished_at == moment
    assert DataArtifact("Train/1/end/2/x").finished_at == moment
    assert Flow("Train").finished_at is None


def test_a_step_with_a_running_task_has_no_end(opened, library):
    run = library.run()
    run.task(1, "fit")
    run.start(2, "fit")
    opened()

    assert Step("Train/1/fit").finished_at is None
    assert Task("Train/1/fit/2").finished_at is None


# --- attempts -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "attempt", "message"),
    [
        (Flow, 0, "attempts can only be specified for Task or DataArtifact"),
        (Run, 0, "attempts can only be specified for Task or DataArtifact"),
        (Step, 0, "attempts can only be specified for Task or DataArtifact"),
        (Task, -1, "non-negative"),
        (Task, 6, "attempt can only be smaller than 6"),
        (DataArtifact, -1, "non-negative"),
        (DataArtifact, 6, "attempt can only be smaller than 6"),
    ],
)
def test_an_impossible_attempt_is_not_found(opened, trained, kind, attempt, message):
    opened()

    with pytest.raises(NotFoundError, match=message):
        kind(PATHSPECS[kind], attempt=attempt)


@pytest.fixture
def retried(library):
    run = library.run("Retry")
    run.start(1, "start")
    run.end(1, "start", values={"x": "first"}, status=Status.FAILED)
    run.start(1, "start", attempt=1)
    run.end(1, "start", attempt=1, values={"x": "second", "y": 1})
    return run.finish()


def test_the_latest_attempt_is_the_one_that_is_seen(opened, retried):
    opened()
    task = Task("Retry/1/start/1")

    assert task.current_attempt == 1
    assert task.data.x == "second"
    assert task.successful
    assert repr(task) == "Task('Retry/1/start/1')"


def test_an_earlier_attempt_is_there_by_its_number(opened, retried):
    opened()
    task = Task("Retry/1/start/1", attempt=0)

    assert repr(task) == "Task('Retry/1/start/1', attempt=0)"
    assert task.current_attempt == 0
    assert task.data.x == "first"
    assert not task.successful
    assert "y" not in task


def test_artifacts_of_a_task_share_its_attempt(opened, retried):
    opened()

    assert repr(Task("Retry/1/start/1", 0)["x"]) == "DataArtifact('Retry/1/start/1/x', attempt=0)"
    assert DataArtifact("Retry/1/start/1/x", attempt=0).data == "first"
    assert DataArtifact("Retry/1/start/1/x", attempt=1).data == "second"
    assert DataArtifact("Retry/1/start/1/x").data == "second"


def test_an_attempt_that_never_ran_has_no_data(opened, retried):
    opened()
    task = Task("Retry/1/start/1", attempt=3)
    artifact = DataArtifact("Retry/1/start/1/x", attempt=3)

    assert list(task) == []
    assert not task.finished
    assert not task.successful
    assert task.finished_at is None
    assert task.exception is None
    assert task.stdout == ""
    assert task.origin_pathspec is None
    assert task.status == Status.CREATED
    for look in (lambda: artifact.data, lambda: artifact.sha, lambda: artifact.type):
        with pytest.raises(NotFoundError, match="there is no artifact 'x' of Retry/1/start/1"):
            look()


def test_the_parameters_have_one_attempt(opened, trained):
    opened()

    assert Task("Train/1/_parameters/0", attempt=0).data.alpha == 1
    assert Task("Train/1/_parameters/0", attempt=1).artifact_names() == []


def test_an_object_follows_what_happens(opened, library):
    run = library.run()
    run.start(1, "end")
    opened()
    task, found = Task("Train/1/end/1"), Run("Train/1")

    assert (task.finished, found.finished, task.status) == (False, False, Status.RUNNING)

    run.end(1, "end", status=Status.FAILED, values={"x": "first"})
    assert (task.data.x, task.current_attempt) == ("first", 0)

    run.start(1, "end", attempt=1)
    assert task.artifact_names() == []

    run.end(1, "end", attempt=1, values={"x": "second"})
    assert (task.data.x, task.current_attempt) == ("second", 1)
    assert (task.finished, found.finished, found.status) == (True, True, Status.RUNNING)

    run.finish()
    assert found.status == Status.SUCCEEDED


# --- all flows ------------------------------------------------------------------------------------


def test_flows_are_listed_the_one_with_the_newest_run_first(opened, library):
    for name in ("First", "Second", "First"):
        library.run(name)
    opened()

    assert [flow.id for flow in Flows()] == ["First", "Second"]
    assert [flow.id for flow in Flows().flows] == ["First", "Second"]
    assert str(Flows()) == repr(Flows()) == "Flows()"


def test_only_flows_of_the_namespace_are_listed(opened, library):
    library.run("Ours")
    library.run("Theirs", user="bob")
    opened()
    flows = Flows()

    assert [flow.id for flow in flows] == ["Ours"]
    assert ("Ours" in flows, "Theirs" in flows, "Nobodys" in flows) == (True, False, False)
    with pytest.raises(NamespaceMismatchError):
        flows["Theirs"]

    namespace(None)
    assert [flow.id for flow in flows] == ["Theirs", "Ours"]


def test_an_absent_flow_is_a_key_error(opened, library):
    library.run("Train")
    opened()

    assert Flows()["Train"].id == "Train"
    for name in ("Other", "no name"):
        with pytest.raises(KeyError, match=name):
            Flows()[name]


def test_an_empty_store_has_no_flows(opened):
    opened()

    assert Flows().flows == []
