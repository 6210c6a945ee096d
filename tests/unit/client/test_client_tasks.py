"""Tasks: outcome, artifacts, place in the graph, facts."""

import pickle
from typing import Any

import pytest

from flowkit.client import Run, Step, Task
from flowkit.enums import Cause, Status
from flowkit.exceptions import ExceptionWrapper
from flowkit.model.records import NewTask
from flowkit.model.tasks import AttemptError

RAISED = AttemptError(Cause.EXCEPTION, "it broke", "builtins.ValueError")
KILLED = AttemptError(Cause.SIGNAL, "the process was killed")
WRAPPED = ExceptionWrapper("it broke", "builtins.ValueError", "Traceback ...")


class Canary:
    """Breaks when it is unpickled."""

    def __reduce__(self):
        return (exec, ("raise RuntimeError('unpickled')",))


# --- outcome --------------------------------------------------------------------------------------

OUTCOMES: dict[str, tuple[dict[str, Any], bool, bool, str | None, int | None]] = {
    "success": ({"values": {"x": 1}}, True, True, None, 1),
    "cached": ({"values": {"x": 1}, "status": Status.CACHED}, True, True, None, 1),
    "exception": (
        {"values": {"x": 1, "_exception": WRAPPED}, "status": Status.FAILED, "error": RAISED},
        False,
        False,
        "it broke",
        1,
    ),
    "caught": ({"values": {"x": 1}, "error": RAISED}, True, False, None, 1),
    "died": ({"status": Status.FAILED, "error": KILLED}, False, False, None, None),
}


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_outcome_of_a_task(opened, library, name):
    end, finished, successful, raised, x = OUTCOMES[name]
    run = library.run()
    run.start(1, "start")
    run.end(1, "start", **end)
    opened()
    task = Task("Train/1/start/1")

    assert (task.finished, task.successful) == (finished, successful)
    assert task.finished_at is not None
    assert (task.exception and task.exception.exception) == raised
    assert getattr(task.data, "x", None) == x


@pytest.mark.parametrize("name", OUTCOMES)
def test_the_outcome_is_there_under_its_internal_names(opened, library, name):
    end, finished, successful, *_ = OUTCOMES[name]
    run = library.run()
    run.start(1, "start")
    run.end(1, "start", **end)
    opened()
    task = Task("Train/1/start/1")
    internal = ("_success", "_task_ok", "_exception")

    if name == "died":
        assert [key in task for key in internal] == [False, False, False]
    else:
        assert [key in task for key in internal] == [True, True, True]
        assert task["_success"].data is successful
        assert task["_task_ok"].data is finished
        assert (task["_exception"].data is None) == (name != "exception")


def test_a_running_task_has_no_outcome_yet(opened, library):
    library.run().start(1, "start")
    opened()
    task = Task("Train/1/start/1")

    assert (task.finished, task.successful, task.status) == (False, False, Status.RUNNING)
    assert "_task_ok" not in task
    assert list(task) == []


# --- artifacts ------------------------------------------------------------------------------------


@pytest.fixture
def task(opened, library):
    values = {"x": 1, "text": "words", "_hidden": [1, 2], "broken": Canary()}
    library.run().task(1, "start", values)

    def find() -> Task:
        opened()
        return Task("Train/1/start/1")

    return find


def test_data_has_the_artifacts_as_attributes(task):
    data = task().data

    assert (data.x, data.text) == (1, "words")
    assert "x" in data
    assert "y" not in data
    assert dir(data) == ["broken", "text", "x"]
    assert str(data) == repr(data) == "<TaskData: broken, text, x>"


def test_data_gives_a_new_value_each_time(task):
    data = task().data

    assert data.text is not data.text


def test_an_absent_attribute_is_an_error_that_names_task_and_artifact(task):
    with pytest.raises(AttributeError, match="'Train/1/start/1' has no artifact 'y'"):
        task().data.y  # noqa: B018


def test_names_with_an_underscore_are_hidden_but_there(task):
    found = task()

    assert [artifact.id for artifact in found] == ["broken", "text", "x"]
    assert "_hidden" not in found.data
    with pytest.raises(AttributeError, match=r"take task\['_hidden'\].data"):
        found.data._hidden  # noqa: B018
    assert "_hidden" in found
    assert found["_hidden"].data == [1, 2]
    assert found.artifact_names() == ["broken", "text", "x"]
    assert found.artifact_names(private=True) == ["_hidden", "broken", "text", "x"]


def test_artifacts_are_a_named_tuple(task):
    artifacts = task().artifacts

    assert artifacts._fields == ("broken", "text", "x")
    assert artifacts.x.data == 1
    assert artifacts.text.pathspec == "Train/1/start/1/text"


def test_an_artifact_named_like_a_keyword_does_not_break_the_others(opened, library):
    library.run().task(1, "start", {"class": 1, "x": 2})
    opened()
    task = Task("Train/1/start/1")

    assert task.artifacts.x.data == 2
    assert task["class"].data == 1


def test_nothing_but_data_unpickles(task):
    found = task()
    artifact = found["broken"]

    facts = (artifact.sha, artifact.size, artifact.type, artifact.materializer, artifact.created_at)
    assert all(facts)
    assert found.artifacts.broken.pathspec == artifact.pathspec
    assert found.metadata
    assert "broken" in found.data
    with pytest.raises(Exception, match="unpickled"):
        artifact.data  # noqa: B018


def test_data_can_be_pickled_by_reference(task):
    data = task().data

    assert pickle.loads(pickle.dumps(data)).x == 1


# --- place ----------------------------------------------------------------------------------------


@pytest.fixture
def fanned(library):
    run = library.run()
    run.task(1, "start", {"items": ["a", "b", "c" * 100]}, items=["a", "b", "c" * 100])
    for index, item in enumerate(["a", "b", "c" * 100]):
        frames = (run.frame(index, item),)
        run.task(2 + index, "fit", {"x": index}, frames=frames, inputs=(1,))
    run.task(5, "end", {"x": 9}, inputs=(2, 3, 4))
    return run.finish()


def test_the_index_is_that_of_the_innermost_foreach(opened, fanned, library):
    nested = library.run("Nested")
    frames = (nested.frame(1, "outer"), nested.frame(2, "inner"))
    nested.task(1, "start", frames=frames)
    opened()

    assert [task.index for task in Step("Train/1/fit")] == [2, 1, 0]
    assert Task("Train/1/start/1").index is None
    assert Task("Nested/1/start/1").index == 2


def test_the_foreach_stack_tells_where_a_task_stands(opened, fanned):
    opened()

    assert Task("Train/1/start/1")["_foreach_stack"].data == []
    assert Task("Train/1/fit/3")["_foreach_stack"].data == [("start", "items", 3, 1, "b")]
    (frame,) = Task("Train/1/fit/4")["_foreach_stack"].data
    assert (frame.step, frame.var, frame.num_splits, frame.index) == ("start", "items", 3, 2)
    assert frame.value == "c" * 61 + "..."


def test_the_foreach_values_are_those_of_the_split(opened, fanned):
    opened()

    assert Task("Train/1/start/1")["_foreach_values"].data == ["a", "b", "c" * 61 + "..."]
    assert "_foreach_values" not in Task("Train/1/fit/2")


def test_internal_names_are_not_stored(opened, fanned):
    opened()
    artifact = Task("Train/1/start/1")["_success"]

    assert (artifact.sha, artifact.size, artifact.materializer) == ("", 0, "")
    assert artifact.type == "bool"


def test_the_graph_is_there_from_every_task(opened, fanned):
    opened()

    assert set(Task("Train/1/fit/2")["_graph_info"].data["steps"]) == {"start", "fit", "end"}
    assert set(Task("Train/1/_parameters/0")["_graph_info"].data["steps"]) >= {"start"}


def test_tasks_know_their_parents_and_children(opened, fanned):
    opened()
    start, middle, end = (Task(f"Train/1/{p}") for p in ("start/1", "fit/3", "end/5"))

    assert list(start.parent_task_pathspecs) == []
    assert [task.pathspec for task in middle.parent_tasks] == ["Train/1/start/1"]
    assert list(end.parent_task_pathspecs) == [f"Train/1/fit/{n}" for n in (2, 3, 4)]
    assert list(start.child_task_pathspecs) == [f"Train/1/fit/{n}" for n in (2, 3, 4)]
    assert [task.data.x for task in middle.child_tasks] == [9]
    assert list(end.child_tasks) == []


def test_steps_know_their_parents_and_children(opened, fanned):
    opened()
    run = Run("Train/1")

    assert [step.id for step in run["start"].parent_steps] == []
    assert [step.id for step in run["start"].child_steps] == ["fit"]
    assert [step.pathspec for step in run["end"].parent_steps] == ["Train/1/fit"]
    assert [step.id for step in run["end"].child_steps] == []
    assert list(run["_parameters"].child_steps) == []


def test_steps_that_the_run_has_not_come_to_are_left_out(opened, library):
    library.run().task(1, "start")
    opened()

    assert list(Step("Train/1/start").child_steps) == []


def test_the_task_of_a_step_is_its_newest(opened, fanned):
    opened()
    step = Step("Train/1/fit")

    assert step.task.pathspec == "Train/1/fit/4"
    assert step.task.id == next(iter(step)).id


def test_the_control_task_leads_a_gang(opened, library):
    run = library.run()
    for rank in range(3):
        run.task(1 + rank, "train", gang_rank=rank)
    run.task(4, "end")
    opened()

    control = Step("Train/1/train").control_task

    assert control is not None
    assert control.pathspec == "Train/1/train/1"
    assert [task.id for task in Step("Train/1/train").control_tasks()] == ["1"]
    assert list(Step("Train/1/train").control_tasks("no such tag")) == []
    assert Step("Train/1/end").control_task is None


def test_thousands_of_tasks_are_read_page_by_page(opened, library):
    run = library.run()
    new = [NewTask(n, "fit", 0, (), 0, ()) for n in range(1, 2501)]
    library.writer.record(run.lease, [], new)
    opened()
    step = Step("Train/1/fit")

    assert [int(task.id) for task in step] == list(range(2500, 0, -1))
    assert step["1"].pathspec == "Train/1/fit/1"
    assert step.task.id == "2500"


def test_a_page_that_is_exactly_full_is_not_the_end(opened, library):
    run = library.run()
    library.writer.record(run.lease, [], [NewTask(n, "fit", 0, (), 0, ()) for n in range(1, 1001)])
    opened()

    assert len(list(Step("Train/1/fit"))) == 1000


# --- facts ----------------------------------------------------------------------------------------


def test_metadata_tells_what_is_known(opened, library):
    info = {"script-name": "train.py", "versions": {"numpy": "2.1"}}
    run = library.run(info=info, origin="7")
    run.start(1, "fit", frames=(run.frame(1, "b"),))
    run.end(1, "fit", values={}, status=Status.FAILED, error=RAISED)
    run.start(1, "fit", attempt=1)
    run.end(1, "fit", attempt=1, values={}, origin="Train/7/fit/3", status=Status.CACHED)
    opened()
    task = Task("Train/1/fit/1")

    facts = task.metadata_dict
    assert facts == {
        "script-name": "train.py",
        "versions": '{"numpy": "2.1"}',
        "user": "ada",
        "origin-run-id": "7",
        "origin-task-id": "3",
        "origin-pathspec": "Train/7/fit/3",
        "foreach-stack": '[["start", "items", 3, 1]]',
        "foreach-indices": "[1]",
        "attempt": "1",
        "attempt_ok": "True",
        "error": "it broke",
    }
    assert [m.value for m in task.metadata if m.name == "attempt_ok"] == ["False", "True"]
    first = task.metadata[0]
    assert first._fields == ("name", "value", "created_at", "type", "task")
    assert first.task is task
    assert first.created_at.tzinfo is None
    assert Task("Train/1/fit/1", attempt=0).metadata_dict["attempt_ok"] == "False"
    assert Task("Train/1/fit/1", attempt=4).metadata_dict.keys() >= {"user"}


def test_a_running_attempt_is_neither_ok_nor_not(opened, library):
    library.run().start(1, "start")
    opened()

    facts = Task("Train/1/start/1").metadata_dict
    assert facts["attempt"] == "0"
    assert "attempt_ok" not in facts


def test_the_environment_is_that_of_the_run(opened, library):
    library.run(info={"python": "3.11"}).task(1, "start")
    opened()

    assert Task("Train/1/start/1").environment_info == {"python": "3.11"}
    assert Step("Train/1/start").environment_info == {"python": "3.11"}


def test_the_runtime_is_read_from_the_system_tags(opened, library):
    from flowkit.model.records import NewRun

    library.run().task(1, "start")
    library.writer.create_run(NewRun("Bare", "ada", "0" * 64))
    opened()

    assert Task("Train/1/start/1").runtime_name == "dev"
    assert Task("Bare/1/_parameters/0", _namespace_check=False).runtime_name is None
