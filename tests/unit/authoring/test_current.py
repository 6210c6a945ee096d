"""``current`` speaks of the running task, and of nothing outside one."""

import pytest

from flowkit.authoring.current import Parallel, TaskContext, current, entered, extended

CONTEXT = TaskContext(
    flow_name="Train",
    run_id="7",
    step_name="fit",
    task_id="3",
    retry_count=2,
    origin_run_id=None,
    namespace="user:ada",
    username="ada",
    tags=frozenset({"nightly"}),
    parameter_names=("alpha",),
    tempdir="/scratch",
    graph=lambda: {"steps": {}},
    extras={"project_name": "birds"},
)


def test_outside_a_task_everything_is_empty():
    assert not current.is_running_flow
    assert current.flow_name is None
    assert current.pathspec is None
    assert current.run is None
    assert current.task is None
    assert current.trigger is None
    assert (current.retry_count, current.tags, current.tempdir) == (0, set(), ".")
    assert current.parallel == Parallel("127.0.0.1", 1, 0, "0")
    assert not current.is_parallel
    with pytest.raises(RuntimeError, match="only there while a flow is running"):
        _ = current.graph


def test_inside_a_task_it_tells_the_facts():
    with entered(CONTEXT):
        assert current.is_running_flow
        assert (current.flow_name, current.run_id) == ("Train", "7")
        assert (current.step_name, current.task_id) == ("fit", "3")
        assert current.pathspec == "Train/7/fit/3"
        assert (current.retry_count, current.origin_run_id) == (2, None)
        assert (current.username, current.namespace) == ("ada", "user:ada")
        assert current.tags == {"nightly"}
        assert current.parameter_names == ("alpha",)
        assert current.tempdir == "/scratch"
        assert current.graph == {"steps": {}}
        assert current.project_name == "birds"
    assert not current.is_running_flow


def test_get_and_in_treat_none_as_absent():
    with entered(CONTEXT):
        assert current.get("run_id") == "7"
        assert current.get("origin_run_id", "none") == "none"
        assert current.get("nope", 5) == 5
        assert "step_name" in current
        assert "nope" not in current


def test_decorators_extend_it_for_a_while():
    with entered(CONTEXT), extended({"card": "a"}):
        assert (current.card, current.project_name) == ("a", "birds")
    with pytest.raises(AttributeError, match=r"'current' has no attribute 'card'.*decorator"):
        _ = current.card


def test_changing_the_tags_set_changes_nothing():
    with entered(CONTEXT):
        current.tags.add("mine")

        assert current.tags == {"nightly"}
