"""Edits of code, and which of them the fingerprint of a step notices."""

import sys
from textwrap import dedent
from types import ModuleType

import pytest

from flowkit.authoring.flowspec import definition
from flowkit.runtime.fingerprint import Fingerprints

HELPERS = '''
"""About this module."""
import functools

RATES = {"low": 1, "high": [2, 3]}
UNUSED = 1

class Model:
    """A model."""
    bias = 1

    def predict(self, x):
        return scaled(x) + self.bias

def traced(function):
    @functools.wraps(function)
    def inner(*arguments):
        return function(*arguments)
    return inner

def scaled(x, by=2):
    """Scale."""
    # a comment
    return x * by * RATES["low"]

@traced
def wrapped(x):
    return x - 1

def unused():
    return 3

twice = functools.partial(scaled, by=4)
'''
FLOW = '''
import math
import numpy
import fingerprinted_helpers as helpers
from fingerprinted_helpers import scaled as renamed
from flowkit import FlowSpec, Parameter, step

LIMIT = 5

class Sample(FlowSpec):
    n = Parameter("n", default=1)
    sizes = [1, 2]

    @step
    def start(self):
        """Begin."""
        self.x = renamed(self.n) + LIMIT
        self.model = helpers.Model()
        self.next(self.middle)

    @step
    def middle(self):
        self.y = [m.predict(1) for m in [self.model]]
        self.z = self._own(2) + len(self.sizes)
        self.w = getattr(self, "_by_name")(1)
        self.next(self.end)

    @step
    def end(self):
        print(helpers.wrapped(1), helpers.twice(2), numpy.sum([1]))

    def _own(self, x):
        return x + 1

    def _by_name(self, x):
        return x
'''


def modules(flow=FLOW, helpers=HELPERS):
    for name, text in (("fingerprinted_helpers", helpers), ("fingerprinted_flow", flow)):
        module = ModuleType(name)
        module.__file__ = __file__
        sys.modules[name] = module
        exec(compile(dedent(text), f"/{name}.py", "exec"), vars(module))
    return sys.modules["fingerprinted_flow"].Sample


def parts(flow=FLOW, helpers=HELPERS):
    fingerprints = Fingerprints(definition(modules(flow, helpers)))
    return {name: fingerprints.step(name).parts for name in ("start", "middle", "end")}


def changed(flow=FLOW, helpers=HELPERS):
    """Return the steps whose fingerprints differ from those of the code above."""
    before, after = parts(), parts(flow, helpers)
    return {name for name in before if before[name] != after[name]}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""About this module."""', '"""Something else."""'),
        ("    # a comment\n", "    # another\n\n    # and more\n"),
        ('    """Scale."""\n', ""),
        ('    """A model."""\n', '    """Other."""\n'),
        ("x * by * RATES", "x*by   *   RATES"),
        ("return 3", "return 4"),
        ("UNUSED = 1", "UNUSED = 2"),
    ],
    ids=[
        "module doc",
        "comment",
        "no docstring",
        "class doc",
        "format",
        "unused",
        "unused constant",
    ],
)
def test_edits_that_change_nothing_are_not_noticed(old, new):
    assert old in HELPERS

    assert changed(helpers=HELPERS.replace(old, new)) == set()


def test_a_docstring_of_a_step_does_not_count():
    assert changed(FLOW.replace('        """Begin."""\n', "")) == set()


@pytest.mark.parametrize(
    ("old", "new", "steps"),
    [
        ("x * by * RATES", "x * by + RATES", {"start", "middle", "end"}),
        ("by=2", "by=3", {"start", "middle", "end"}),
        ('"low": 1', '"low": 9', {"start", "middle", "end"}),
        ("[2, 3]", "[2, 4]", {"start", "middle", "end"}),
        ("self.bias", "2 * self.bias", {"start", "middle"}),
        ("bias = 1", "bias = 2", {"start"}),
        ("return x - 1", "return x - 2", {"end"}),
        ("return function(*arguments)", "return 2 * function(*arguments)", {"end"}),
        ("by=4", "by=5", {"end"}),
    ],
    ids=[
        "body",
        "default",
        "global",
        "nested",
        "method",
        "attribute",
        "wrapped",
        "wrapper",
        "partial",
    ],
)
def test_an_edit_of_a_helper_reaches_just_the_steps_that_reach_it(old, new, steps):
    assert old in HELPERS

    assert changed(helpers=HELPERS.replace(old, new)) == steps


@pytest.mark.parametrize(
    ("old", "new", "steps"),
    [
        ("LIMIT = 5", "LIMIT = 6", {"start"}),
        ("LIMIT = 5", "LIMIT = 5.0", {"start"}),
        ("return x + 1", "return x + 2", {"middle"}),
        ("sizes = [1, 2]", "sizes = [1, 3]", {"middle"}),
        (
            "def _by_name(self, x):\n        return x",
            "def _by_name(self, x):\n        return 0",
            {"middle"},
        ),
        ("predict(1)", "predict(2)", {"middle"}),
    ],
    ids=["constant", "type of a constant", "method", "class attribute", "by name", "own code"],
)
def test_an_edit_of_the_flow_reaches_just_the_steps_that_reach_it(old, new, steps):
    assert old in FLOW

    assert changed(FLOW.replace(old, new)) == steps


def test_the_parts_name_what_has_changed():
    before = parts()["start"]
    after = parts(helpers=HELPERS.replace("x * by", "x + by"))["start"]

    assert [name for name in before if before[name] != after.get(name)] == [
        "function fingerprinted_helpers.scaled"
    ]


def test_installed_packages_count_by_version():
    assert "package numpy" in parts()["end"]


def test_fingerprints_are_the_same_each_time():
    assert parts() == parts()


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("import time; self.x = time.time()", "clock"),
        ("self.x = outside.time()", "clock"),
        ("self.x = datetime.now()", "clock"),
        ("self.x = os.environ['HOME']", "environment"),
        ("self.x = os.getenv('HOME')", "environment"),
    ],
)
def test_looks_at_the_clock_and_the_environment_are_hazards(line, kind):
    imports = "import os\nimport time as outside\nfrom datetime import datetime\n"
    flow = imports + FLOW.replace("self.x = renamed(self.n) + LIMIT", line)

    found = Fingerprints(definition(modules(flow))).step("start").hazards

    assert [hazard.kind for hazard in found] == [kind]
    assert found[0].where.startswith("/fingerprinted_flow.py:")


def test_calls_in_a_circle_are_followed_once():
    flow = FLOW.replace(
        "LIMIT = 5",
        "LIMIT = 5\ndef renamed(x):\n    return other(x)\ndef other(x):\n    return renamed(x)\n",
    )

    assert "function fingerprinted_flow.other" in parts(flow)["start"]
