import dataclasses
import json

import pytest

from flowkit.authoring.decorators import FlowDecorator, StepDecorator
from flowkit.graph.build import build_graph
from flowkit.graph.describe import graph_info, show_text, to_dot, to_json, to_raw
from flowkit.graph.rules import check

BODY = '''
    """What the flow is for.

    In two paragraphs.
    """

    alpha = Parameter("alpha-rate", default=0.1)
    table = Parameter("table", default={})
    LIMIT = 3

    @step
    def start(self):
        """Choose.

        Well.
        """
        self.next(self.a, self.b)

    @step
    def end(self): pass

    @step
    def b(self): self.next({"x": self.again, 2: self.plain}, condition="kind")

    @noted()
    @step
    def a(self): self.next(self.each, foreach="xs")

    @step
    def each(self): self.next(self.gather)

    @step
    def gather(self, inputs): self.next(self.j)

    @step
    def again(self): self.next({True: self.again, False: self.plain}, condition="more")

    @step
    def plain(self): self.next(self.j)

    @step
    def j(self, inputs): self.next(self.end)
'''

SHOWN = """\
What the flow is for.

In two paragraphs.

Step *start*
    Choose.

    Well.
    => a, b

Step *b*
    ?
    => again, plain

@noted
Step *a*
    ?
    => each

Step *each*
    ?
    => gather

Step *gather*
    ?
    => j

Step *again*
    ?
    => again, plain

Step *plain*
    ?
    => j

Step *j*
    ?
    => end

Step *end*
    ?"""


@dataclasses.dataclass(frozen=True, slots=True)
class tuned(StepDecorator):  # noqa: N801 - a decorator
    times: int = 3
    names: frozenset[str] = frozenset({"b", "a"})
    by: object = len
    options: tuple[object, ...] = ({"key": object()}, None)
    _private: int = 1


class project(FlowDecorator):  # noqa: N801 - a decorator
    def __init__(self, name):
        self.label = name


def test_show_prints_each_step_behind_those_that_lead_to_it(flow):
    assert show_text(build_graph(flow(BODY))) == SHOWN


def test_show_leaves_out_a_docstring_that_is_not_there(steps):
    assert show_text(build_graph(steps(start=""))) == "Step *start*\n    ?"


def test_a_broken_graph_is_shown_too(steps):
    graph = build_graph(
        steps(a="self.next(self.b)", b="self.next(self.a)", c="self.next(self.a, self.oops)")
    )

    assert [line for line in show_text(graph).splitlines() if "Step" in line] == [
        "Step *c*",
        "Step *a*",
        "Step *b*",
    ]
    assert '"c" -> "oops";' in to_dot(graph)


def test_dot_has_every_step_and_every_way(flow):
    graph = build_graph(flow(BODY))

    assert to_dot(graph) == to_dot(build_graph(flow(BODY)))
    assert to_dot(graph) == (
        'digraph "F" {\n'
        "  rankdir=LR;\n"
        "  node [shape=box, fontname=Helvetica];\n"
        '  "start" [label="start\\nsplit"];\n'
        '  "b" [label="b\\nsplit-switch"];\n'
        '  "a" [label="a\\nforeach"];\n'
        '  "each" [label="each"];\n'
        '  "gather" [label="gather\\njoin"];\n'
        '  "again" [label="again\\nsplit-switch"];\n'
        '  "plain" [label="plain"];\n'
        '  "j" [label="j\\njoin"];\n'
        '  "end" [label="end"];\n'
        '  "start" -> "a";\n'
        '  "start" -> "b";\n'
        '  "b" -> "again" [label="kind: x"];\n'
        '  "b" -> "plain" [label="kind: 2"];\n'
        '  "a" -> "each" [label="foreach xs"];\n'
        '  "each" -> "gather";\n'
        '  "gather" -> "j";\n'
        '  "again" -> "again" [label="more: True"];\n'
        '  "again" -> "plain" [label="more: False"];\n'
        '  "plain" -> "j";\n'
        '  "j" -> "end";\n'
        "}"
    )


def test_dot_quotes_what_users_wrote(steps):
    graph = build_graph(
        steps(
            start="""self.next({'a"b': self.a, 'c\\\\d': self.a}, condition='kind')""",
            a="self.next(self.b, foreach=computed)",
            b="self.next(self.a, num_parallel=2)",
        )
    )

    assert '[label="kind: a\\"b, c\\\\d"]' in to_dot(graph)
    assert '"a" -> "b" [label="foreach ..."]' in to_dot(graph)
    assert '"b" -> "a" [label="num_parallel"]' in to_dot(graph)


def test_raw_has_all_fields_of_all_nodes(flow):
    raw = to_raw(build_graph(flow(BODY)))

    assert json.loads(json.dumps(raw)) == raw
    assert raw["start"]["matching_join"] == "j"
    assert raw["b"]["cases"] == {"x": "again", "2": "plain"}
    assert raw["each"]["predecessors"] == ["a"]


def test_graph_info_describes_flow_and_steps(flow, tmp_path):
    read = flow(BODY)
    info = graph_info(read, build_graph(read))

    assert check(build_graph(read)) == []
    assert json.loads(json.dumps(info)) == info
    assert list(info) == [
        "file",
        "start_step",
        "end_step",
        "parameters",
        "constants",
        "steps",
        "graph_structure",
        "doc",
        "decorators",
        "extensions",
    ]
    assert (info["file"], info["start_step"], info["end_step"]) == ("flow_file.py", "start", "end")
    assert info["parameters"] == [
        {"name": "alpha-rate", "type": "float"},
        {"name": "table", "type": "JSON"},
    ]
    assert info["constants"] == [{"name": "LIMIT", "type": "int"}]
    assert info["doc"] == "What the flow is for.\n\nIn two paragraphs."
    assert info["steps"]["start"] == {
        "name": "start",
        "type": "split-static",
        "line": 20,
        "source_file": str(tmp_path / "flow_file.py"),
        "doc": "Choose.\n\nWell.",
        "decorators": [],
        "next": ["a", "b"],
        "node_info": {},
        "matching_join": "j",
    }
    assert {name: one["type"] for name, one in info["steps"].items()} == {
        "start": "split-static",
        "b": "split-switch",
        "a": "split-foreach",
        "each": "linear",
        "gather": "join",
        "again": "split-switch",
        "plain": "linear",
        "j": "join",
        "end": "end",
    }
    assert info["graph_structure"] == [
        "start",
        [["a", [["each"]], "gather"], ["b", [["again"], []], "plain"]],
        "j",
        "end",
    ]
    assert info["steps"]["a"]["foreach_artifact"] == "xs"
    assert info["steps"]["b"]["condition"] == "kind"
    assert info["steps"]["b"]["switch_cases"] == {"x": "again", "2": "plain"}


def test_graph_info_calls_a_gang_a_parallel_split(flow):
    read = flow("""
        @step
        def start(self): self.next(self.train, num_parallel=4)
        @parallel()
        @step
        def train(self): self.next(self.gather)
        @step
        def gather(self, inputs): self.next(self.end)
        @step
        def end(self): pass
    """)
    start = graph_info(read, build_graph(read))["steps"]["start"]

    assert (start["type"], start["num_parallel"]) == ("split-parallel", True)
    assert "foreach_artifact" not in start


@pytest.mark.parametrize(
    ("tails", "structure"),
    [
        ({"start": ""}, ["start"]),
        ({"start": "self.next(self.end)", "end": ""}, ["start", "end"]),
        (
            {
                "start": "self.next(self.a, self.b)",
                "a": "self.next(self.each, foreach='xs')",
                "each": "self.next(self.gather)",
                "gather__join": "self.next(self.j)",
                "b": "self.next(self.c)",
                "c": "self.next(self.j)",
                "j__join": "self.next(self.end)",
                "end": "",
            },
            ["start", [["a", [["each"]], "gather"], ["b", "c"]], "j", "end"],
        ),
        (
            {
                "start": "self.next({1: self.x, 2: self.y, 3: self.end}, condition='c')",
                "x": "self.next({1: self.x, 2: self.z}, condition='c')",
                "y": "self.next(self.z)",
                "z": "self.next(self.end)",
                "end": "",
            },
            ["start", [["x", "z"], ["y", "z"], []], "end"],
        ),
        (
            {
                "start": "self.next({1: self.x, 2: self.y}, condition='c')",
                "x": "self.next({1: self.p, 2: self.q}, condition='c')",
                "y": "self.next(self.p)",
                "p": "self.next(self.end)",
                "q": "self.next(self.end)",
                "end": "",
            },
            ["start", [["x", [["p"], ["q"]]], ["y", "p"]], "end"],
        ),
    ],
    ids=["one step", "linear", "nested splits", "switch and recursion", "shared case"],
)
def test_the_structure_nests_branches_as_lists(steps, tails, structure):
    read = steps(**tails)
    graph = build_graph(read)

    assert check(graph) == []
    assert graph_info(read, graph)["graph_structure"] == structure


def test_decorators_are_reduced_to_plain_values(steps):
    read = steps(start="")
    marked = dataclasses.replace(read.steps["start"], decorators=(tuned(),))
    read = dataclasses.replace(read, steps={"start": marked}, decorators=(project("p"),))
    info = graph_info(read, build_graph(read))

    assert info["steps"]["start"]["decorators"] == [
        {
            "name": "tuned",
            "attributes": {
                "times": 3,
                "names": ["a", "b"],
                "by": "len",
                "options": [{"key": "object"}, None],
            },
            "statically_defined": False,
            "inserted_by": None,
        }
    ]
    assert info["decorators"] == [
        {
            "name": "project",
            "attributes": {"label": "p"},
            "statically_defined": True,
            "inserted_by": None,
        }
    ]


def test_decorators_from_the_source_are_statically_defined(flow):
    read = flow("""
        @parallel()
        @step
        def start(self): pass
    """)
    (decorator,) = graph_info(read, build_graph(read))["steps"]["start"]["decorators"]

    assert decorator["statically_defined"] is True


def test_show_as_json_begins_with_the_name(steps):
    read = steps(start="")
    graph = build_graph(read)

    assert to_json(graph, read) == {"name": "F", **graph_info(read, graph)}
