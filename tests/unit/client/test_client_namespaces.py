"""Namespaces: who finds what."""

import pytest

from flowkit.client import (
    DataArtifact,
    Flow,
    Run,
    Step,
    Task,
    default_namespace,
    get_namespace,
    namespace,
)
from flowkit.exceptions import NamespaceMismatchError


@pytest.fixture
def runs(library):
    for user, tags in (("ada", ["shared"]), ("bob", ["shared"]), ("bob", [])):
        run = library.run(user=user, tags=tags)
        run.task(1, "end", {"x": 1})
        run.finish()


def test_the_users_own_namespace_holds_unless_another_is_set(opened):
    opened("user:ada")

    assert get_namespace() == "user:ada"


def test_no_own_namespace_means_the_global_one(opened):
    opened("")

    assert get_namespace() is None
    assert default_namespace() is None


def test_setting_a_namespace_returns_it(opened):
    opened()

    assert namespace("shared") == "shared"
    assert get_namespace() == "shared"
    assert namespace(None) is None
    assert get_namespace() is None
    assert default_namespace() == "user:ada"
    assert get_namespace() == "user:ada"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("user:ada", ["1"]),
        ("user:bob", ["3", "2"]),
        ("shared", ["2", "1"]),
        (None, ["3", "2", "1"]),
    ],
)
def test_a_flow_has_the_runs_of_the_namespace(opened, runs, name, expected):
    opened()
    namespace(name)

    assert [run.id for run in Flow("Train")] == expected
    assert repr(Flow("Train").latest_run) == f"Run('Train/{expected[0]}')"


@pytest.mark.parametrize(
    ("kind", "pathspec"),
    [
        (Run, "Train/2"),
        (Step, "Train/2/end"),
        (Task, "Train/2/end/1"),
        (DataArtifact, "Train/2/end/1/x"),
        (Step, "Train/2/_parameters"),
    ],
)
def test_what_is_outside_of_the_namespace_is_refused(opened, runs, kind, pathspec):
    opened()

    with pytest.raises(NamespaceMismatchError, match="object not in namespace 'user:ada'"):
        kind(pathspec)
    assert kind(pathspec, _namespace_check=False).pathspec == pathspec
    namespace("user:bob")
    assert kind(pathspec).pathspec == pathspec


def test_a_flow_without_a_run_in_the_namespace_is_refused(opened, runs):
    opened()
    namespace("user:eve")

    with pytest.raises(NamespaceMismatchError, match="user:eve"):
        Flow("Train")
    assert len(list(Flow("Train", _namespace_check=False))) == 3


def test_a_run_outside_of_the_namespace_is_not_in_the_flow(opened, runs):
    opened()
    flow = Flow("Train")

    assert "2" not in flow
    with pytest.raises(NamespaceMismatchError):
        flow["2"]


def test_an_object_tells_whether_it_is_in_the_current_namespace(opened, runs):
    opened()
    found = [Flow("Train"), Run("Train/1"), Task("Train/1/end/1")]

    assert [o.is_in_namespace() for o in found] == [True, True, True]
    namespace("user:eve")
    assert [o.is_in_namespace() for o in found] == [False, False, False]
    namespace(None)
    assert [o.is_in_namespace() for o in found] == [True, True, True]


def test_children_are_looked_up_where_their_parent_was_found(opened, runs):
    opened()
    run = Run("Train/2", _namespace_check=False)

    assert run["end"].task.data.x == 1
    assert [task.pathspec for step in run for task in step] == ["Train/2/end/1"]
    assert run.parent["3"].pathspec == "Train/3"


def test_a_tag_added_later_brings_a_run_into_a_namespace(opened, runs):
    opened()
    Run("Train/3", _namespace_check=False).add_tag("mine")
    namespace("mine")

    assert [run.id for run in Flow("Train")] == ["3"]
