"""Flows and runs: the newest one, its outcome, its tags."""

from typing import Any

import pytest

from flowkit.client import Flow, Run, Step, Task, namespace
from flowkit.enums import Cause, Status
from flowkit.exceptions import NotFoundError, TaggingError
from flowkit.model.tasks import AttemptError

ERROR = AttemptError(Cause.EXCEPTION, "it broke", "ValueError")


@pytest.fixture
def history(library):
    """Three runs: one went well, one failed, one is under way."""
    first = library.run(tags=["a", "b"], info={"python": "3.11", "versions": {"x": 1}})
    first.task(1, "start", {"x": 1})
    first.task(2, "end", {"x": 2}, inputs=(1,))
    first.finish()
    second = library.run(tags=["a"])
    second.task(1, "start", {"x": 1}, status=Status.FAILED, error=ERROR)
    second.finish(Status.FAILED)
    third = library.run(tags=["b"])
    third.task(1, "start", {"x": 1})
    third.start(2, "end")
    return [first, second, third]


def test_the_latest_run_is_the_newest_in_whatever_state(opened, history):
    opened()

    assert repr(Flow("Train").latest_run) == "Run('Train/3')"
    assert repr(Flow("Train").latest_successful_run) == "Run('Train/1')"


def test_there_may_be_no_successful_run(opened, library):
    library.run().finish(Status.FAILED)
    opened()

    assert Flow("Train").latest_successful_run is None


def test_there_may_be_no_latest_run(opened, history):
    opened()
    flow = Flow("Train")
    for run in flow:
        run.add_tag("moved")
    namespace("moved")
    moved = Flow("Train")
    for run in Flow("Train", _namespace_check=False):
        run.remove_tag("moved")

    assert moved.latest_run is None


@pytest.mark.parametrize(
    ("tags", "expected"),
    [((), "321"), (("a",), "21"), (("b",), "31"), (("a", "b"), "1"), (("a", "c"), "")],
)
def test_runs_are_found_by_all_their_tags(opened, history, tags, expected):
    opened()

    assert "".join(run.id for run in Flow("Train").runs(*tags)) == expected


def test_steps_and_tasks_have_the_tags_of_their_run(opened, history):
    opened()
    run = Run("Train/1")

    assert [step.id for step in run.steps("a", "b")] == ["end", "start"]
    assert [step.id for step in run.steps("a", "c")] == []
    assert [task.id for task in run["start"].tasks("a")] == ["1"]
    assert [task.id for task in run["start"].tasks("c")] == []


def test_hundreds_of_runs_are_read_page_by_page(opened, library):
    for _ in range(230):
        library.writer.create_run(_new_run(library))
    opened()

    assert [int(run.id) for run in Flow("Many")] == list(range(230, 0, -1))


def _new_run(library):
    from flowkit.model.records import NewRun

    return NewRun("Many", "ada", "0" * 64, system_tags=("user:ada",))


def test_the_outcome_of_a_run_is_that_of_its_end_task(opened, history):
    opened()
    runs: list[Any] = [Run("Train/1"), Run("Train/2"), Run("Train/3")]
    first, second, third = runs

    assert (first.finished, first.successful, first.status) == (True, True, "succeeded")
    assert first.end_task.pathspec == "Train/1/end/2"
    assert first.finished_at == first.end_task.finished_at
    assert first.data.x == 2

    assert (second.finished, second.successful, second.status) == (False, False, "failed")
    assert (second.end_task, second.finished_at, second.data) == (None, None, None)

    assert (third.finished, third.successful, third.status) == (False, False, "running")
    assert (third.end_task.id, third.finished_at) == ("2", None)


def test_the_last_step_may_have_another_name(opened, library):
    run = library.run(info={"start_step": "begin", "end_step": "finale"})
    run.task(1, "begin")
    run.task(2, "finale", {"x": 1})
    run.finish()
    opened()

    assert repr(Run("Train/1").end_task) == "Task('Train/1/finale/2')"
    assert Run("Train/1").successful


def test_a_run_whose_end_step_was_caught_finished_without_success(opened, library):
    run = library.run()
    run.task(1, "end", {"x": 1}, error=ERROR)
    run.finish()
    opened()

    assert (Run("Train/1").finished, Run("Train/1").successful) == (True, False)
    assert Flow("Train").latest_successful_run is None


def test_local_runs_have_no_code_package_and_no_trigger(opened, history):
    opened()

    assert Run("Train/1").code is None
    assert Run("Train/1").trigger is None
    assert Task("Train/1/end/2").code is None


def test_the_parameters_step_is_hidden_but_there(opened, library):
    library.run(parameters={"alpha": 0.5}).task(1, "start")
    opened()
    run = Run("Train/1")

    assert "_parameters" in run
    assert [step.id for step in run] == ["start"]
    task = run["_parameters"].task
    assert task.pathspec == "Train/1/_parameters/0"
    assert task.data.alpha == 0.5
    assert task.artifact_names() == ["alpha", "name"]
    assert (task.finished, task.successful) == (True, True)
    assert [task.id for task in run["_parameters"]] == ["0"]
    assert Step("Train/1/_parameters").created_at == run.created_at
    assert task.stdout == ""


def test_a_resumed_run_knows_its_origin(opened, library):
    library.run().task(1, "start", {"x": 1})
    second = library.run(origin="1")
    second.task(1, "start", {"x": 1}, status=Status.CACHED, origin="Train/1/start/1")
    second.task(2, "end", {"x": 2})
    opened()

    assert Run("Train/2").origin_pathspec == "Train/1"
    assert Step("Train/2/start").origin_pathspec == "Train/1/start"
    assert Task("Train/2/start/1").origin_pathspec == "Train/1/start/1"
    assert Task("Train/2/start/1")["x"].origin_pathspec == "Train/1/start/1/x"
    assert Task("Train/2/_parameters/0").origin_pathspec == "Train/1/_parameters/0"
    assert Task("Train/2/end/2").origin_pathspec is None
    assert Task("Train/2/end/2")["x"].origin_pathspec is None
    assert Run("Train/1").origin_pathspec is None
    assert Step("Train/1/start").origin_pathspec is None
    assert Flow("Train").origin_pathspec is None
    assert Task("Train/2/start/1").successful


def test_a_run_that_is_gone_is_not_found(opened, library):
    library.run()
    opened()
    run = Run("Train/1")
    import sqlite3

    with sqlite3.connect(library.database) as connection:
        connection.execute("DELETE FROM tag")
        connection.execute("DELETE FROM run")
    connection.close()

    with pytest.raises(NotFoundError, match="run 'Train/1' does not exist"):
        run.tags  # noqa: B018


# --- changing tags --------------------------------------------------------------------------------


@pytest.fixture
def tagged(library):
    library.run(tags=["old"]).finish()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda run: run.add_tag("new"), {"old", "new"}),
        (lambda run: run.add_tag(["n1", "n2"]), {"old", "n1", "n2"}),
        (lambda run: run.add_tags(("n1", "n2")), {"old", "n1", "n2"}),
        (lambda run: run.add_tag(b"bytes"), {"old", "bytes"}),
        (lambda run: run.add_tag("with space é"), {"old", "with space é"}),
        (lambda run: run.add_tag("user:ada"), {"old"}),
        (lambda run: run.remove_tag("old"), set()),
        (lambda run: run.remove_tag("absent"), {"old"}),
        (lambda run: run.remove_tags(["old", "absent"]), set()),
        (lambda run: run.replace_tag("old", "new"), {"new"}),
        (lambda run: run.replace_tags(["old"], ["n1", "n2"]), {"n1", "n2"}),
        (lambda run: run.replace_tags(["x"], ["x"]), {"old", "x"}),
    ],
)
def test_tags_can_be_changed(opened, tagged, change, expected):
    opened()
    run = Run("Train/1")
    other = Run("Train/1")

    change(run)

    assert run.user_tags == expected
    assert other.user_tags == expected
    assert run.system_tags == {"user:ada", "runtime:dev"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: run.add_tags([]), "must add or remove at least one tag"),
        (lambda run: run.replace_tags([], []), "must add or remove at least one tag"),
        (lambda run: run.remove_tag("user:ada"), "user:ada"),
        (lambda run: run.add_tag(""), "1 to 500 characters"),
        (lambda run: run.add_tag("x" * 501), "1 to 500 characters"),
        (lambda run: run.add_tag(b"\xff"), "UTF-8"),
        (lambda run: run.add_tags([f"t{n}" for n in range(50)]), "50"),
    ],
)
def test_a_wrong_change_of_tags_changes_nothing(opened, tagged, change, message):
    opened()
    run = Run("Train/1")

    with pytest.raises(TaggingError, match=message):
        change(run)
    assert run.user_tags == {"old"}
