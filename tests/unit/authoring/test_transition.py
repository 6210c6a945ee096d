"""What calls of ``self.next`` are accepted, and what the errors say."""

import pytest

from flowkit.authoring.steps import step
from flowkit.authoring.transition import NextCall, read_next
from flowkit.exceptions import InvalidNextException


@step
def a(self):
    pass


@step
def b(self):
    pass


def helper(self):
    pass


def read(*targets, **keywords):
    return read_next("here", {"a", "b"}, targets, keywords)


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        (read(a), NextCall(("a",))),
        (read(a, b), NextCall(("a", "b"))),
        (read(a, foreach="xs"), NextCall(("a",), foreach="xs")),
        (read(a, num_parallel=3), NextCall(("a",), num_parallel=3)),
        (read(a, foreach=None), NextCall(("a",))),
        (
            read({"x": a, 1: b, "y": a}, condition="kind"),
            NextCall(("a", "b"), condition="kind", cases={"x": "a", 1: "b", "y": "a"}),
        ),
    ],
    ids=["linear", "split", "foreach", "gang", "empty keyword", "switch"],
)
def test_the_forms_of_next(call, expected):
    assert call == expected


@pytest.mark.parametrize(
    ("targets", "keywords", "message"),
    [
        ((), {}, "needs a step to go to"),
        ((a,), {"for_each": "xs"}, "no keyword 'for_each'"),
        ((a,), {"foreach": "xs", "num_parallel": 2}, "one keyword at most"),
        ((a, b), {"foreach": "xs"}, "exactly one step, not 2"),
        ((a, a), {}, "names a step twice"),
        ((a,), {"foreach": ["x"]}, "as a string, not list"),
        ((helper,), {}, "'helper' in self.next.. is not a step of this flow"),
        (("a",), {}, "'a' in self.next.. is not a step"),
        ((None,), {}, "None in self.next.. is not a step"),
        (({"x": a},), {}, "goes with condition"),
        ((a,), {"condition": "kind"}, "takes one dict"),
        (({},), {"condition": "kind"}, "takes one dict"),
        (({"x": a}, {"y": b}), {"condition": "kind"}, "takes one dict"),
        (({"x": a},), {"condition": 3}, "condition takes the name"),
        (({"x": helper},), {"condition": "kind"}, "'helper' in self.next.. is not a step"),
        ((a,), {"num_parallel": 0}, "at least 1, not 0"),
        ((a,), {"num_parallel": "2"}, "at least 1, not '2'"),
        ((a,), {"num_parallel": True}, "at least 1, not True"),
        ((a,), {"num_parallel": 1.5}, "at least 1, not 1.5"),
    ],
)
def test_wrong_calls_name_the_step_and_what_is_wrong(targets, keywords, message):
    with pytest.raises(InvalidNextException, match=f"step 'here': .*{message}"):
        read(*targets, **keywords)
