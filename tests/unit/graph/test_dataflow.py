"""What steps find and make, read from their source; reads of what nobody assigns."""

from textwrap import dedent

import pytest

from flowkit.authoring.flowspec import definition
from flowkit.graph.build import build_graph
from flowkit.graph.contract import contract, contract_text, external_artifacts
from flowkit.graph.dataflow import Dataflow
from flowkit.graph.rules import check

HEADER = """\
from typing import Annotated, Any
from flowkit import (
    ArtifactConfig, ArtifactSelector, ExternalArtifact, FlowSpec, Parameter, StepDecorator, catch,
    schedule, step,
)

class around(StepDecorator):
    def wrap(self, call, task):
        call()

"""


@pytest.fixture
def dataflow(tmp_path, monkeypatch):
    """A function that reads the flow of a source and returns what there is to know of it."""

    def read(source: str) -> Dataflow:
        path = tmp_path / "dataflow_flow.py"
        path.write_text(HEADER + dedent(source), encoding="utf-8")
        names: dict[str, object] = {"__name__": "dataflow_flow"}
        exec(compile(path.read_text(encoding="utf-8"), str(path), "exec"), names)  # the test's own
        flow = definition(names["F"])  # type: ignore[arg-type]
        graph = build_graph(flow)
        assert check(graph) == []
        found = Dataflow(flow, graph)
        found.flow = flow  # type: ignore[attr-defined]
        return found

    return read


def linear(first: str, second: str = "pass", head: str = "x: Any") -> str:
    """A flow of two steps with these bodies."""

    def body(text: str) -> str:
        return "\n".join(f"        {line}" for line in dedent(text).strip().splitlines())

    return (
        f"class F(FlowSpec):\n    {head}\n    alpha = Parameter('alpha')\n    LIMIT = 3\n"
        f"    def helper(self):\n        self.from_helper = self.read_by_helper\n"
        f"    @step\n    def start(self):\n{body(first)}\n        self.next(self.end)\n"
        f"    @step\n    def end(self):\n{body(second)}\n"
    )


@pytest.mark.parametrize(
    ("body", "assigned", "certain", "reads"),
    [
        ("self.a = self.b", {"a"}, {"a"}, {"b"}),
        ("self.a += 1", {"a"}, {"a"}, {"a"}),
        ("self.a = 1\nprint(self.a)", {"a"}, {"a"}, set()),
        ("self.a, (self.b, *self.c) = f()", {"a", "b", "c"}, {"a", "b", "c"}, set()),
        ("if f():\n    self.a = 1", {"a"}, set(), set()),
        ("if f():\n    self.a = 1\nelse:\n    self.a = 2", {"a"}, {"a"}, set()),
        ("if f():\n    raise E\nelse:\n    self.a = 2", {"a"}, {"a"}, set()),
        ("for self.a in f():\n    self.b = 1", {"a", "b"}, set(), set()),
        ("with f() as self.a:\n    self.b = 1", {"a", "b"}, {"a", "b"}, set()),
        ("try:\n    self.a = 1\nfinally:\n    self.b = 1", {"a", "b"}, {"a", "b"}, set()),
        ("try:\n    self.a = 1\nexcept E:\n    self.b = 1", {"a", "b"}, set(), set()),
        ("setattr(self, 'a', 1)", {"a"}, {"a"}, set()),
        ("getattr(self, 'a')", set(), set(), {"a"}),
        ("getattr(self, 'a', None)", set(), set(), set()),
        ("hasattr(self, 'a')", set(), set(), set()),
        ("self.a = 1\ndel self.a", {"a"}, set(), set()),
        ("self.a: int = 1", {"a"}, {"a"}, set()),
        ("self.a[0] = 1", set(), set(), {"a"}),
        ("self.helper()", {"from_helper"}, set(), {"read_by_helper"}),
        ("self.save_artifact('a', 1, name='b')", {"a"}, {"a"}, set()),
        ("self.save_artifact('a', 1)", set(), set(), set()),
        ("print(self.alpha, self.LIMIT, self.index)", set(), set(), set()),
        ("g = [self.a for _ in f()]", set(), set(), {"a"}),
        ("match f():\n    case 1:\n        self.a = self.b", {"a"}, set(), {"b"}),
    ],
)
def test_what_a_step_assigns_and_reads(dataflow, body, assigned, certain, reads):
    access = dataflow(linear(body)).accesses["start"]

    assert set(access.assigned) == assigned
    assert access.certain == certain
    assert set(access.reads) == reads
    assert not access.is_open


@pytest.mark.parametrize(
    "body",
    ["f(self)", "setattr(self, g(), 1)", "vars(self)", "self.__dict__['a'] = 1", "x = self",
     "super().start()", "delattr(self, 'a')", "f(lambda: self)"],
)  # fmt: skip
def test_a_step_that_gives_itself_away_is_open(dataflow, body):
    assert dataflow(linear(body)).accesses["start"].is_open


def messages(found):
    return [one.message for one in found]


def test_what_no_step_assigns_is_a_warning_at_its_line(dataflow):
    found = dataflow(linear("self.a = 1", "print(self.a)\nprint(self.b)")).warnings()

    assert messages(found) == ["step 'end' reads self.b, which no step before it assigns"]
    assert found[0].line == HEADER.count("\n") + 14
    assert (found[0].rule, found[0].step) == ("never-assigned", "end")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("self.a = 1", "print(self.a)"),
        ("if f():\n    self.a = 1", "print(self.a)"),
        ("pass", "if f():\n    print(self.a)"),
        ("pass", "try:\n    print(self.a)\nexcept AttributeError:\n    pass"),
        ("pass", "if hasattr(self, 'a'):\n    print(self.a)"),
        ("f(self)", "print(self.a)"),
        ("pass", "f(self)\nprint(self.a)"),
        ("pass", "print(self.alpha, self.LIMIT, self.helper, self.name)"),
    ],
)
def test_what_may_be_there_is_no_problem(dataflow, first, second):
    assert dataflow(linear(first, second)).problems() == []


def test_reads_of_what_is_not_assigned_on_every_way_are_warnings(dataflow):
    found = dataflow(linear("if f():\n    self.a = 1", "print(self.a)\nif f():\n    self.b"))

    assert messages(found.warnings()) == [
        "step 'end' reads self.a, not assigned on every way to it",
        "step 'end' reads self.b, not assigned on every way to it",
    ]


def test_a_foreign_decorator_may_assign_anything(dataflow):
    source = linear("pass", "print(self.a)").replace(
        "    @step\n    def end", "    @around\n    @step\n    def end"
    )

    assert dataflow(source).problems() == []


def test_catch_assigns_its_variable(dataflow):
    source = linear("pass", "print(self.failed)").replace(
        "    @step\n    def start", "    @catch(var='failed')\n    @step\n    def start"
    )

    assert dataflow(source).problems() == []


SPLIT = """
class F(FlowSpec):
    m: Annotated[Any, ArtifactConfig(name="m")]
    @step
    def start(self):
        self.before = 1
        self.next(self.a, self.b)
    @step
    def a(self):
        self.m = 1
        self.next(self.j)
    @step
    def b(self):
        {b}
        self.next(self.j)
    @step
    def j(self, inputs):
        {j}
        self.next(self.end)
    @step
    def end(self):
        pass
"""


def test_a_join_starts_without_what_its_inputs_have(dataflow):
    found = dataflow(SPLIT.format(b="pass", j="print(self.before)"))

    assert messages(found.warnings()) == [
        (
            "step 'j' reads self.before, which no step before it assigns for a join: take it "
            "from one of the inputs, or merge them"
        )
    ]
    merged = SPLIT.format(b="pass", j="self.merge_artifacts(inputs); print(self.before)")
    assert dataflow(merged).warnings() == []


def test_of_parallel_branches_the_join_makes_the_version(dataflow):
    contested = dataflow(SPLIT.format(b="self.m = 2", j="self.m = 3"))

    assert contested.problems() == []
    assert contested.held_back() == {"a": frozenset({"m"}), "b": frozenset({"m"})}
    assert dataflow(SPLIT.format(b="pass", j="pass")).held_back() == {}


def test_parallel_branches_need_a_join_that_decides(dataflow):
    found = dataflow(SPLIT.format(b="self.m = 2", j="pass"))

    (message,) = messages(found.problems())
    assert "assigned in parallel, in steps a, b: assign it in the join 'j'" in message


FOREACH = """
class F(FlowSpec):
    m: Annotated[Any, ArtifactConfig(name="m"{extra})]
    @step
    def start(self):
        self.items = [1]
        self.next(self.work, foreach="items")
    @step
    def work(self):
        self.m = 1
        self.next(self.j)
    @step
    def j(self, inputs):
        self.m = 1
        self.next(self.end)
    @step
    def end(self):
        pass
"""


def test_a_named_artifact_under_a_foreach_is_a_problem(dataflow):
    (message,) = messages(dataflow(FOREACH.format(extra="")).problems())

    assert message == (
        "self.m is the artifact 'm' and is assigned under a foreach, in step 'work': assign it in "
        "the join, or set per_task=True"
    )


@pytest.mark.parametrize("extra", [", per_task=True", ', version="v{index}"'])
def test_unless_its_tasks_make_versions_of_their_own(dataflow, extra):
    assert dataflow(FOREACH.format(extra=extra)).problems() == []


def test_a_chosen_version_and_a_schedule_do_not_go_together(dataflow):
    source = linear("self.x = 1", head="x: Annotated[Any, ArtifactConfig('x', 'v1')]")
    (message,) = messages(
        dataflow(source.replace("class F", "@schedule(daily=True)\nclass F")).problems()
    )

    assert "self.x has the version 'v1', and the flow runs on a schedule" in message
    assert dataflow(source).problems() == []


def test_the_contract_lists_what_comes_from_elsewhere(dataflow):
    head = """m = ExternalArtifact(name='model', alias='production')
    t = ExternalArtifact(name='t', tag='good')
    w = ExternalArtifact(name='w', where={'accuracy': '>=0.9'})
    v = ExternalArtifact(value=1)
    p = Parameter('which', type=ArtifactSelector, required=True)"""
    found = dataflow(linear("print(self.m)", "print(self.m, self.p)", head=head))

    assert external_artifacts(found.flow, found)[0] == {
        "attribute": "m",
        "source": "model:production",
        "read_in": ["start", "end"],
    }
    assert contract_text(found.flow, found) == dedent("""\
        External artifacts
            m = model:production  (-> start, end)
            t = t tagged good  (-> no step)
            w = w where {'accuracy': '>=0.9'}  (-> no step)
            v = a value  (-> no step)
            p = --which  (-> end)""")


def test_the_contract_lists_what_is_declared_then_what_is_assigned(dataflow):
    head = "x: Annotated[list, ArtifactConfig('data', 'v1', tags=['t'])]"
    found = dataflow(linear("self.x = []\nself.y = 1", "print(self.x)", head=head))

    assert contract(found.flow, found) == [
        {
            "attribute": "x",
            "type": "list",
            "name": "data",
            "version": "v1",
            "artifact_type": None,
            "tags": ["t"],
            "made_in": ["start"],
            "read_in": ["end"],
        },
        {
            "attribute": "y",
            "type": None,
            "name": None,
            "version": None,
            "artifact_type": None,
            "tags": [],
            "made_in": ["start"],
            "read_in": [],
        },
    ]
    assert contract_text(found.flow, found) == (
        "Artifacts\n    x: list = data@v1  (start -> end)\n    y  (start)"
    )
