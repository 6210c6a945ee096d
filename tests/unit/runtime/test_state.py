"""What becomes an artifact, what is read, what is passed on, and what a join takes over."""

import threading
from collections import OrderedDict
from typing import Any

import numpy as np
import pytest

from flowkit import FlowSpec, Parameter, current, step
from flowkit.enums import Cause
from flowkit.exceptions import MergeError


class Linear(FlowSpec):
    """Base of flows with three steps; subclasses say what happens in the first two."""

    def first(self):
        pass

    def second(self):
        pass

    @step
    def start(self):
        self.first()
        self.next(self.middle)

    @step
    def middle(self):
        self.second()
        self.next(self.end)

    @step
    def end(self):
        pass


class Foreach(FlowSpec):
    """Base of flows with one foreach; subclasses say over what."""

    def items(self):
        raise NotImplementedError

    @step
    def start(self):
        self.xs = self.items()
        self.next(self.each, foreach="xs")

    @step
    def each(self):
        self.got = self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        self.all = [(entry.index, entry.got, entry.input) for entry in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


# --- reading and writing --------------------------------------------------------------------------


def test_values_flow_on_and_none_is_a_value(play):
    class Flow(Linear):
        def first(self):
            self.x = 1
            self.nothing = None

        def second(self):
            assert self.nothing is None
            self.y = self.x + 1

    assert play(Flow).values("end") == {"x": 1, "nothing": None, "y": 2}


def test_what_is_inherited_is_not_written_again(play):
    class Flow(Linear):
        def first(self):
            self.x = [1]

    run = play(Flow)

    assert run.manifest("start").written == ("x",)
    assert run.manifest("end").written == ()
    assert run.digest("start", "x") == run.digest("end", "x")
    assert run.manifest("end").reads == ()


def test_functions_and_lambdas_are_artifacts(play):
    class Flow(Linear):
        def first(self):
            offset = 5
            self.add = lambda x: x + offset
            self.sort = sorted

        def second(self):
            self.y = self.add(1), self.sort([2, 1])

    assert play(Flow).values("end")["y"] == (6, [1, 2])


def test_an_assignment_with_an_operator_makes_a_new_value(play):
    class Flow(Linear):
        def first(self):
            self.xs = [1]

        def second(self):
            self.xs += [2]

    run = play(Flow)

    assert run.values("start")["xs"] == [1]
    assert run.values("end")["xs"] == [1, 2]
    assert run.manifest("middle").written == ("xs",)


def test_a_value_changed_in_place_is_a_new_artifact(play):
    class Flow(Linear):
        def first(self):
            self.xs, self.array = [1], np.zeros(20_000)
            self.nested: dict[str, Any] = {"a": ([],)}

        def second(self):
            self.xs.append(2)
            self.nested["a"][0].append(3)
            self.array[7] = 1

    run = play(Flow)

    assert run.manifest("middle").written == ("xs", "nested", "array")
    assert run.values("end")["xs"] == [1, 2]
    assert run.values("end")["nested"] == {"a": ([3],)}
    assert run.values("end")["array"][7] == 1
    assert run.values("start")["array"][7] == 0


def test_a_value_that_is_only_read_keeps_its_digest(play):
    class Flow(Linear):
        def first(self):
            self.xs = {"b": {3, 1, 2}, "a": ["x" * 10] * 3}
            self.array = np.arange(20_000)

        def second(self):
            assert self.xs["b"]
            assert self.array.sum()

    run = play(Flow)

    assert run.manifest("middle").written == ()
    assert run.digest("end", "xs") == run.digest("start", "xs")
    assert run.reads("middle") == {
        "attr:xs": run.digest("start", "xs"),
        "attr:array": run.digest("start", "array"),
    }


def test_an_object_shared_by_two_attributes_changes_both(play):
    class Flow(Linear):
        def first(self):
            self.a = [1]

        def second(self):
            self.b = self.a
            self.b.append(2)

    assert play(Flow).values("end") == {"a": [1, 2], "b": [1, 2]}


def test_a_deleted_artifact_is_gone_for_the_steps_after(play):
    class Flow(Linear):
        def first(self):
            self.x = self.y = 1

        def second(self):
            del self.x
            assert not hasattr(self, "x")
            with pytest.raises(AttributeError, match="has no attribute 'x'"):
                del self.x

    run = play(Flow)

    assert run.values("start") == {"x": 1, "y": 1}
    assert run.values("middle") == {"y": 1}
    assert run.values("end") == {"y": 1}
    assert run.reads("middle") == {"attr:x": run.digest("start", "x")}


def test_a_deleted_artifact_can_be_assigned_again(play):
    class Flow(Linear):
        def first(self):
            self.x = 1

        def second(self):
            del self.x
            self.x = 2

    assert play(Flow).values("end") == {"x": 2}


def test_parameters_and_constants_can_not_be_deleted(play):
    class Flow(Linear):
        alpha = Parameter("alpha")
        limit = 3

        def first(self):
            for name in ("alpha", "limit", "end"):
                with pytest.raises(AttributeError, match=f"can't delete '{name}'"):
                    delattr(self, name)

    assert play(Flow, alpha=1).values("end") == {"alpha": 1, "limit": 3}


def test_private_attributes_are_not_passed_on_and_the_error_says_so(play):
    class Flow(Linear):
        def first(self):
            self._secret = 1
            self._other = self._secret + 1
            self.seen = self._other

        def second(self):
            with pytest.raises(AttributeError, match=r"'_secret'.*private to a step and not"):
                _ = self._secret

    assert play(Flow).values("end") == {"seen": 2}


def test_a_missing_attribute_is_a_recorded_read(play):
    class Flow(Linear):
        def second(self):
            assert not hasattr(self, "nope")
            self.x = getattr(self, "other", 5)

    assert play(Flow).reads("middle") == {"attr:nope": None, "attr:other": None}


def test_reading_what_the_step_itself_has_set_is_no_read(play):
    class Flow(Linear):
        def second(self):
            self.x = 1
            assert self.x == 1

    assert play(Flow).reads("middle") == {}


def test_constants_are_artifacts_and_changing_one_in_place_is_not_stored(play):
    class Flow(Linear):
        colours = ["red"]  # noqa: RUF012 - a constant, as users write it
        limit = 5

        def first(self):
            with pytest.raises(AttributeError, match="not modifiable"):
                self.limit = 6
            self.colours.append("green")

    run = play(Flow)

    assert run.values("end") == {"colours": ["red"], "limit": 5}
    assert run.manifest("start").written == ()


def test_a_parameter_is_read_only_and_changing_it_in_place_is_not_stored(play):
    class Flow(Linear):
        rows = Parameter("rows", default=[])

        def first(self):
            with pytest.raises(AttributeError, match="not modifiable"):
                self.rows = []
            self.rows.append(1)

        def second(self):
            self.seen = list(self.rows)

    assert play(Flow, rows=[0]).values("end") == {"rows": [0], "seen": [0]}


def test_an_attribute_set_through_setattr_or_update_of_a_loop_is_stored(play):
    class Flow(Linear):
        def first(self):
            for number in range(3):
                setattr(self, f"x{number}", number)

    assert play(Flow).values("end") == {"x0": 0, "x1": 1, "x2": 2}


# --- what can't be stored -------------------------------------------------------------------------


def test_an_attempt_with_values_that_can_not_be_stored_names_all_of_them(play, capsys):
    class Flow(Linear):
        def first(self):
            self.good = 1
            self.lock = {"deep": [threading.Lock()]}
            self.rows = (row for row in "ab")

    run = play(Flow)

    assert run.error.cause is Cause.ARTIFACT
    assert "cannot store self.lock: ['deep'][0]: _thread.lock" in run.error.message
    assert "cannot store self.rows: generator" in run.error.message
    assert run.values("start") == {"good": 1}
    assert run.of("start").written.keys() == {"good"}
    assert "cannot store self.lock" in capsys.readouterr().err


def test_self_and_inputs_can_not_be_stored(play):
    class Flow(FlowSpec):
        @step
        def start(self):
            self.next(self.a, self.b)

        @step
        def a(self):
            self.next(self.join)

        @step
        def b(self):
            self.next(self.join)

        @step
        def join(self, inputs):
            self.me = {"flow": self}
            self.method = self.helper
            self.all = inputs
            self.one = [inputs[0]]
            self.captured = lambda: self.x
            self.next(self.end)

        @step
        def end(self):
            pass

        def helper(self):
            pass

    message = play(Flow).error.message

    assert "cannot store self.me: ['flow']" in message
    assert "flows can't be serialized: was self" in message
    assert "cannot store self.method" in message
    assert "cannot store self.captured" in message
    assert "cannot store self.all" in message
    assert "the inputs of a join can't be stored" in message
    assert "cannot store self.one: [0]" in message


def test_an_item_of_a_foreach_that_can_not_be_stored_is_named(play):
    class Flow(Foreach):
        def items(self):
            return [1, threading.Lock()]

    message = play(Flow).error.message

    assert "cannot store item 1 of the foreach" in message


def test_values_whose_pickling_raises_are_named(play):
    class Bad:
        def __reduce__(self):
            raise ZeroDivisionError("mine")

    class Flow(Linear):
        def first(self):
            self.bad = [Bad()]

    assert "cannot store self.bad: [0]" in play(Flow).error.message


# --- foreach --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        (lambda: [3, 1], [3, 1]),
        (lambda: ("a", None), ["a", None]),
        (lambda: range(2, 4), [2, 3]),
        (lambda: {"a": 1, "b": 2}, [("a", 1), ("b", 2)]),
        ({"a": 1, "b": 2}.items, [("a", 1), ("b", 2)]),
        ({"a": 1}.keys, ["a"]),
        (lambda: OrderedDict(a=1).values(), [1]),
        (lambda: (n * n for n in range(3)), [0, 1, 4]),
        (lambda: map(str, [1, 2]), ["1", "2"]),
        (lambda: "hé", ["h", "é"]),
        (lambda: {7}, [7]),
        (lambda: np.array([1.5, 2.5]), [1.5, 2.5]),
    ],
    ids=[
        "list",
        "tuple",
        "range",
        "dict",
        "dict items",
        "dict keys",
        "ordered dict values",
        "generator",
        "map",
        "str",
        "set",
        "numpy array",
    ],
)
def test_a_foreach_goes_over_anything_that_can_be_iterated(play, items, expected):
    class Flow(Foreach):
        pass

    Flow.items = lambda _: items()  # type: ignore[method-assign]
    run = play(Flow)

    assert run.values("end")["all"] == [(i, item, item) for i, item in enumerate(expected)]
    assert run.steps.count("each") == len(expected)


def test_an_array_of_two_dimensions_gives_its_rows(play):
    class Flow(Foreach):
        def items(self):
            return np.eye(2)

    rows = [item.tolist() for _, item, _ in play(Flow).values("end")["all"]]
    assert rows == [[1.0, 0.0], [0.0, 1.0]]


def test_a_foreach_may_go_over_a_parameter_or_a_constant(play):
    class OverParameter(FlowSpec):
        xs = Parameter("xs", default=[])
        limits = (5, 6)

        @step
        def start(self):
            self.next(self.each, foreach="xs")

        @step
        def each(self):
            self.x = self.input
            self.next(self.join)

        @step
        def join(self, inputs):
            self.got = [entry.x for entry in inputs]
            self.next(self.between)

        @step
        def between(self):
            self.next(self.again, foreach="limits")

        @step
        def again(self):
            self.x = self.input
            self.next(self.last)

        @step
        def last(self, inputs):
            self.merge_artifacts(inputs, include=["got"])
            self.limits_seen = [entry.x for entry in inputs]
            self.next(self.end)

        @step
        def end(self):
            pass

    values = play(OverParameter, xs={"a": 1}).values("end")

    assert values["got"] == [("a", 1)]
    assert values["limits_seen"] == [5, 6]


def test_an_empty_foreach_goes_straight_to_its_join(play):
    class Flow(Foreach):
        def items(self):
            return []

    run = play(Flow)

    assert run.steps == ["start", "join", "end"]
    assert run.values("end") == {"all": []}


class Nested(FlowSpec):
    sizes = Parameter("sizes", default=[])

    @step
    def start(self):
        self.next(self.outer, foreach="sizes")

    @step
    def outer(self):
        self.tag = self.input
        self.inner_items = list(range(self.input))
        self.sizes_before = list(self.sizes)
        self.next(self.inner, foreach="inner_items")

    @step
    def inner(self):
        self.inner_items = []
        self.next(self.after)

    @step
    def after(self):
        self.place = (self.index, self.input, self.foreach_stack(), str(self))
        self.next(self.inner_join)

    @step
    def inner_join(self, inputs):
        self.places = [entry.place for entry in inputs]
        self.stacks = [entry.foreach_stack() for entry in inputs]
        self.mine = (self.index, self.input, self.foreach_stack())
        self.next(self.behind)

    @step
    def behind(self):
        self.mine_behind = (self.index, self.input)
        self.next(self.outer_join)

    @step
    def outer_join(self, inputs):
        self.rows = [(entry.mine, entry.mine_behind, entry.places) for entry in inputs]
        self.inner_stacks = [entry.stacks for entry in inputs]
        self.outside = (self.index, self.input, self.foreach_stack())
        self.next(self.end)

    @step
    def end(self):
        pass


def test_every_task_knows_its_place_in_nested_foreaches(play):
    values = play(Nested, sizes=[2, 1]).values("end")

    first, second = values["rows"]
    assert first[0] == (0, 2, [(0, 2, 2)])
    assert first[1] == (0, 2)
    assert first[2] == [
        (0, 0, [(0, 2, 2), (0, 2, 0)], "<flow Nested step after[0,0] (input: 0)>"),
        (1, 1, [(0, 2, 2), (1, 2, 1)], "<flow Nested step after[0,1] (input: 1)>"),
    ]
    assert second[0] == (1, 1, [(1, 2, 1)])
    assert values["inner_stacks"][0] == [[(0, 2, 2), (0, 2, 0)], [(0, 2, 2), (1, 2, 1)]]
    assert values["outside"] == (None, None, [])


def test_a_join_that_looks_at_the_items_around_its_inputs_reads_each_of_them(play):
    run = play(Nested, sizes=[2])

    reads = run.reads("inner_join")
    inputs = [run.manifest("after", position) for position in (0, 1)]
    assert reads["inputs:1:input"] == inputs[1].frames[1].item.digest
    assert reads["inputs:1:input:0"] == inputs[1].frames[0].item.digest
    assert reads["input"] == inputs[0].frames[0].item.digest


def test_nested_foreaches_may_be_empty(play):
    run = play(Nested, sizes=[0, 1, 0])

    assert run.steps.count("inner") == 1
    assert [row[2] for row in run.values("end")["rows"]][0::2] == [[], []]


def test_an_outer_foreach_may_be_empty(play):
    run = play(Nested, sizes=[])

    assert run.steps == ["start", "outer_join", "end"]


def test_an_error_while_a_foreach_is_iterated_is_the_users_own(play):
    class Flow(Foreach):
        def items(self):
            yield 1
            raise TypeError("mine")

    error = play(Flow).error

    assert (error.type, error.message) == ("builtins.TypeError", "mine")


# --- joins ----------------------------------------------------------------------------------------


class Split(FlowSpec):
    """Base of flows with a static split; subclasses say what happens in the branches."""

    def in_a(self):
        pass

    def in_b(self):
        pass

    def in_join(self, inputs):
        self.merge_artifacts(inputs)

    @step
    def start(self):
        self.common = [1]
        self.next(self.b, self.a)

    @step
    def a(self):
        self.in_a()
        self.next(self.join)

    @step
    def b(self):
        self.in_b()
        self.next(self.join)

    @step
    def join(self, inputs):
        self.in_join(inputs)
        self.next(self.end)

    @step
    def end(self):
        pass


def test_a_static_join_has_its_inputs_in_the_order_of_the_split(play):
    class Flow(Split):
        def in_join(self, inputs):
            self.order = [entry._current_step for entry in inputs]

    assert play(Flow).values("end")["order"] == ["b", "a"]


def test_a_join_sees_parameters_and_constants_only(play):
    class Flow(Split):
        alpha = Parameter("alpha")
        limit = 3

        def in_join(self, inputs):
            self.seen = (self.alpha, self.limit, self.name)
            with pytest.raises(AttributeError, match=r"'common'.*merge_artifacts\(inputs\)"):
                _ = self.common

    assert play(Flow, alpha=1).values("end") == {"alpha": 1, "limit": 3, "seen": (1, 3, "Flow")}


def test_merge_takes_what_the_inputs_agree_on_by_reference(play):
    class Flow(Split):
        def in_a(self):
            self.only_a = "a"
            self.equal = {"x": 1, "y": 2}

        def in_b(self):
            self.equal = {"y": 2, "x": 1}

    run = play(Flow)

    values = run.values("end")
    assert values == {"common": [1], "only_a": "a", "equal": {"x": 1, "y": 2}}
    assert run.digest("end", "common") == run.digest("start", "common")
    assert run.manifest("join").written == ()


def test_merge_refuses_values_that_differ_and_names_all_of_them(play):
    class Flow(Split):
        def in_a(self):
            self.x, self.y, self.same = 1, 1, 0

        def in_b(self):
            self.x, self.y, self.same = 2, True, 0

        def in_join(self, inputs):
            with pytest.raises(MergeError, match="different values") as failure:
                self.merge_artifacts(inputs)
            self.names = failure.value.artifact_names
            self.kind = type(failure.value).__name__
            assert not hasattr(self, "same")

    values = play(Flow).values("end")

    assert sorted(values["names"]) == ["x", "y"]
    assert values["kind"] == "UnhandledInMergeArtifactsException"


def test_merge_leaves_out_what_was_assigned_before_and_what_is_excluded(play):
    class Flow(Split):
        def in_a(self):
            self.x = self.y = self.z = 1

        def in_b(self):
            self.x = self.y = self.z = 2

        def in_join(self, inputs):
            self.x = 3
            self.merge_artifacts(inputs, exclude=["y", "z"])

    assert play(Flow).values("end") == {"common": [1], "x": 3}


def test_merge_includes_only_what_is_named(play):
    class Flow(Split):
        def in_a(self):
            self.x = self.y = 1

        def in_b(self):
            self.x, self.y = 1, 2

        def in_join(self, inputs):
            self.merge_artifacts(inputs, include=["x"])

    assert play(Flow).values("end") == {"x": 1}


def test_merge_says_what_it_can_not_do(play):
    class Flow(Split):
        def first_error(self, *arguments, **keywords):
            with pytest.raises(MergeError) as failure:
                self.merge_artifacts(*arguments, **keywords)
            return type(failure.value).__name__, str(failure.value)

        def in_a(self):
            self.error_outside = self.first_error([])

        def in_join(self, inputs):
            self.error_both = self.first_error(inputs, exclude=["x"], include=["y"])
            self.error_missing = self.first_error(inputs, include=["common", "nope"])
            self.merge_artifacts(inputs)

    values = play(Flow).values("end")

    assert values["error_outside"][1] == "merge_artifacts can only be called in a join step"
    assert values["error_both"][1] == "merge_artifacts takes 'exclude' or 'include', not both"
    assert values["error_missing"][0] == "MissingInMergeArtifactsException"
    assert "'nope' named in include" in values["error_missing"][1]


def test_values_that_can_not_be_compared_differ(play):
    class Flow(Split):
        def in_a(self):
            self.array = np.array([1, 2])

        def in_b(self):
            self.array = np.array([1, 3])

    error = play(Flow).error
    assert "different values of 'array'" in error.message


def test_a_join_reads_only_what_it_touches(play):
    class Flow(Foreach):
        def items(self):
            return [1, 2]

    run = play(Flow)

    assert run.reads("join").keys() == {
        "inputs:0:got",
        "inputs:0:index",
        "inputs:0:input",
        "inputs:1:got",
        "inputs:1:index",
        "inputs:1:input",
    }


def test_what_a_join_changes_in_an_input_stays_there(play):
    class Flow(Split):
        def in_join(self, inputs):
            inputs.a.common.append(2)
            self.merge_artifacts(inputs)

    assert play(Flow).values("end")["common"] == [1]


# --- switch ---------------------------------------------------------------------------------------


class Loop(FlowSpec):
    """Counts to a limit by going back to the same step."""

    limit = Parameter("limit")

    @step
    def start(self):
        self.count = 0
        self.ids = []
        self.next(self.body)

    @step
    def body(self):
        self.count += 1
        self.ids += [current.task_id]
        self.go_on = self.count < self.limit
        self.next({True: self.body, False: self.end}, condition="go_on")

    @step
    def end(self):
        pass


def test_a_switch_may_go_back_to_itself(play):
    run = play(Loop, limit=3)

    assert run.steps == ["start", "body", "body", "body", "end"]
    assert run.values("end")["ids"] == ["2", "3", "4"]
    assert [result.spec.key.iteration for result in run.results[1:4]] == [0, 1, 2]


class Choice(FlowSpec):
    kinds = Parameter("kinds")

    @step
    def start(self):
        self.next(self.choose, foreach="kinds")

    @step
    def choose(self):
        self.kind = self.input
        self.next({"a": self.left, 2: self.right, "loop": self.choose}, condition="kind")

    @step
    def left(self):
        self.way = "left"
        self.next(self.after)

    @step
    def right(self):
        self.way = "right"
        self.next(self.after)

    @step
    def after(self):
        self.item = self.input
        self.next(self.join)

    @step
    def join(self, inputs):
        self.ways = [(entry.item, entry.way) for entry in inputs]
        self.next(self.end)

    @step
    def end(self):
        pass


def test_a_switch_inside_a_foreach_decides_for_each_item(play):
    run = play(Choice, kinds=["a", 2, "a"])

    assert run.values("end")["ways"] == [("a", "left"), (2, "right"), ("a", "left")]


@pytest.mark.parametrize("kind", ["b", "2", None, [1]], ids=repr)
def test_a_value_that_is_no_case_is_named_with_the_cases(play, kind):
    error = play(Choice, kinds=[kind]).error

    assert error.cause is Cause.TRANSITION
    assert f"self.kind is {kind!r}, which is not in the available cases" in error.message
    assert "['a', 2, 'loop']" in error.message
