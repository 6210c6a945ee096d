"""``inputs`` of a join: by position, by step name, in a loop; read-only."""

import pickle

import pytest

from flowkit.authoring.inputs import Inputs
from flowkit.model.manifest import ArtifactRef, Frame

REF = ArtifactRef("0" * 64, "pickle", "str", 1)


class Helpful:
    scale = 10
    x: int

    def scaled(self):
        return self.x * self.scale


class Finished:
    """A finished task as `InputSource` describes it."""

    def __init__(self, step, artifacts, frames=()):
        self.flow = Helpful
        self.step = step
        self.frames = frames
        self.artifacts = artifacts
        self.loaded = []

    def read(self, name):
        self.loaded.append(name)
        if name not in self.artifacts:
            raise AttributeError(f"no artifact '{name}'")
        return self.artifacts[name]

    def item(self, frame):
        return f"item {frame.index}"

    def look(self, what):
        """Nobody asks here what was read."""

    def names(self):
        return list(self.artifacts)


def frame(index):
    return Frame("start", "xs", index, 3, REF)


@pytest.fixture
def inputs():
    return Inputs([Finished("a", {"x": 1}), Finished("b", {"x": 2}), Finished("b", {"x": 3})])


def test_inputs_are_a_sequence(inputs):
    assert len(inputs) == 3
    assert [each.x for each in inputs] == [1, 2, 3]
    assert (inputs[0].x, inputs[-1].x) == (1, 3)
    assert [each.x for each in inputs[1:]] == [2, 3]
    with pytest.raises(IndexError):
        inputs[3]


def test_inputs_are_found_by_step_and_the_last_of_a_step_wins(inputs):
    assert (inputs.a.x, inputs.b.x) == (1, 3)


def test_an_unknown_step_is_an_attribute_error_that_lists_the_steps(inputs):
    with pytest.raises(AttributeError, match=r"'Inputs' object has no attribute 'zz'.*a, b"):
        _ = inputs.zz


def test_a_join_without_inputs_says_so_in_few_words():
    empty = Inputs([])

    assert (len(empty), list(empty), repr(empty)) == (0, [], "<inputs from  (0 tasks)>")
    with pytest.raises(AttributeError, match="none"):
        _ = empty.fit


def test_artifacts_are_loaded_when_they_are_read_and_once():
    source = Finished("a", {"x": [1], "y": 2})
    entry = Inputs([source])[0]

    assert source.loaded == []
    assert entry.x is entry.x
    assert source.loaded == ["x"]
    assert dir(entry) == ["x", "y"]


def test_inputs_are_read_only(inputs):
    with pytest.raises(AttributeError, match="can't set 'x': the inputs of a join are read-only"):
        inputs[0].x = 5


def test_helper_methods_and_constants_of_the_flow_are_there_too(inputs):
    assert inputs[1].scale == 10
    assert inputs[1].scaled() == 20
    with pytest.raises(AttributeError, match="no artifact 'nope'"):
        _ = inputs[1].nope


def test_an_input_knows_its_place_in_the_foreach(inputs):
    entry = Inputs([Finished("a", {}, (frame(0), frame(2)))])[0]

    assert (entry.index, entry.input) == (2, "item 2")
    assert entry.foreach_stack() == [(0, 3, "item 0"), (2, 3, "item 2")]
    assert entry._current_step == "a"
    assert (inputs[0].index, inputs[0].input, inputs[0].foreach_stack()) == (None, None, [])


def test_inputs_can_not_be_stored(inputs):
    for value in (inputs, inputs[0]):
        with pytest.raises(TypeError, match="can't be stored: store the attributes that you need"):
            pickle.dumps(value)
