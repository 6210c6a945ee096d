"""Random graphs: well-nested ones are understood, broken ones never upset the rules."""

import sys
from dataclasses import dataclass, field, replace
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowkit.authoring.definition import read_definition
from flowkit.graph.build import build_graph
from flowkit.graph.describe import graph_info, show_text, to_dot
from flowkit.graph.graph import NodeType
from flowkit.graph.rules import check

# --- a nested plan, and the flat steps that it stands for -----------------------------------------

STEP = ("step",)


def grow(blocks):
    """Pieces around smaller blocks."""
    branches = st.lists(blocks, min_size=2, max_size=3)
    cases = st.lists(blocks | st.just([]), min_size=2, max_size=3)
    return st.one_of(
        st.tuples(st.just("split"), branches),
        st.tuples(st.just("foreach"), blocks),
        st.tuples(st.just("switch"), cases, st.booleans()),
    )


def plans(depth):
    """Lists of pieces, nested at most so deep."""
    if depth == 0:
        return st.just([STEP])
    return st.lists(st.just(STEP) | grow(plans(depth - 1)), min_size=1, max_size=2)


PLANS = plans(4)


@dataclass(frozen=True)
class Line:
    """One step: its kind, where it goes and whether it joins."""

    kind: str
    targets: tuple[str, ...]
    is_join: bool = False

    def source(self, name):
        ways = ", ".join(f"self.{target}" for target in self.targets)
        if self.kind == "switch":
            cases = ", ".join(f"{i}: self.{target}" for i, target in enumerate(self.targets))
            ways = f"{{{cases}}}, condition='c'"
        elif self.kind == "foreach":
            ways += ", foreach='xs'"
        tail = "pass" if self.kind == "none" else f"self.next({ways})"
        arguments = "self, inputs" if self.is_join else "self"
        return f"    @step\n    def {name}({arguments}): {tail}\n"


@dataclass
class Flat:
    """The steps of a plan, with the right answers."""

    steps: dict[str, Line] = field(default_factory=dict)
    joins: dict[str, str] = field(default_factory=dict)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def add(self, name, parents, line):
        self.steps[name] = line
        self.parents[name] = parents

    def block(self, pieces, after, parents):
        """Add a block that goes on to a step; return the name of its first step."""
        for piece in reversed(pieces):
            after = self.piece(piece, after, parents)
        return after

    def piece(self, piece, after, parents):
        kind, *rest = piece
        name = f"{kind}_{len(self.steps)}"
        self.add(name, parents, Line("plain", (after,)))
        if kind == "switch":
            cases, is_recursive = rest
            meeting = f"meet_{name}"
            self.add(meeting, parents, Line("plain", (after,)))
            firsts = [self.block(case, meeting, parents) for case in cases]
            self.steps[name] = Line("switch", (*firsts, *([name] if is_recursive else [])))
        elif kind != "step":
            join = f"join_{name}"
            branches = rest[0] if kind == "split" else [rest[0]]
            self.add(join, parents, Line("plain", (after,), is_join=True))
            self.joins[name] = join
            firsts = [self.block(branch, join, (*parents, name)) for branch in branches]
            self.steps[name] = Line(kind, tuple(firsts))
        return name


def flat(plan):
    found = Flat()
    found.add("end", (), Line("none", ()))
    found.add("start", (), Line("plain", (found.block(plan, "end", ()),)))
    return found


@pytest.fixture(scope="module")
def graph_of(tmp_path_factory):
    """Writes steps to a source file, imports it and builds flow and graph."""
    folder = tmp_path_factory.mktemp("flows")
    numbers = count()

    def build(steps):
        name = f"random_flow_{next(numbers)}"
        path = folder / f"{name}.py"
        body = "".join(line.source(step) for step, line in steps.items())
        path.write_text(f"from flowkit.authoring.steps import step\nclass F:\n{body}")
        loader = SourceFileLoader(name, str(path))
        spec = spec_from_loader(name, loader)
        assert spec is not None
        sys.modules[name] = module = module_from_spec(spec)
        is_writing, sys.dont_write_bytecode = sys.dont_write_bytecode, True
        try:
            loader.exec_module(module)
            flow = read_definition(module.F, object)
        finally:
            sys.dont_write_bytecode = is_writing
            del sys.modules[name]
        return flow, build_graph(flow)

    return build


# --- the properties -------------------------------------------------------------------------------


@settings(max_examples=120, deadline=None, derandomize=True)
@given(plan=PLANS, data=st.data())
def test_every_split_of_a_well_nested_graph_finds_its_join(graph_of, plan, data):
    expected = flat(plan)
    order = data.draw(st.permutations(list(expected.steps)))
    flow, graph = graph_of({name: expected.steps[name] for name in order})

    assert check(graph) == []
    joins = {name: node.matching_join for name, node in graph.nodes.items() if node.matching_join}
    assert joins == expected.joins
    assert {name: node.split_parents for name, node in graph.nodes.items()} == expected.parents
    for node in graph.nodes.values():
        is_inside = any(expected.steps[name].kind == "foreach" for name in node.split_parents)
        assert node.is_inside_foreach == is_inside
    assert set(graph_info(flow, graph)["steps"]) == set(expected.steps)


@st.composite
def mutated(draw):
    """The steps of a well-nested graph, one of them changed."""
    steps = dict(flat(draw(PLANS)).steps)
    name = draw(st.sampled_from(sorted(steps)))
    targets = list(steps[name].targets)
    other = draw(st.sampled_from([*sorted(steps), "nowhere"]))
    place = draw(st.integers(0, max(len(targets) - 1, 0)))
    change = draw(st.sampled_from(["replace", "insert", "remove", "kind", "join", "drop"]))
    if change == "replace":
        targets[place : place + 1] = [other]
    elif change == "insert":
        targets.insert(place, other)
    elif change == "remove":
        targets[place : place + 1] = []
    line = replace(steps[name], targets=tuple(targets))
    if change == "kind":
        line = replace(line, kind=draw(st.sampled_from(["plain", "foreach", "switch", "none"])))
    elif change == "join":
        line = replace(line, is_join=not line.is_join)
    elif line.kind == "none" and targets:
        line = replace(line, kind="plain")
    if change == "drop" and len(steps) > 1:
        del steps[name]
        return steps
    return steps | {name: line}


@settings(max_examples=250, deadline=None, derandomize=True)
@given(steps=mutated())
def test_one_wrong_edge_gives_problems_or_a_graph_that_works(graph_of, steps):
    flow, graph = graph_of(steps)
    problems = check(graph)

    assert all(problem.message and problem.line and problem.file for problem in problems)
    assert show_text(graph)
    assert to_dot(graph)
    if not problems:
        assert graph_info(flow, graph)
        walk_every_path(graph)


def walk_every_path(graph):
    """Go every way from start to end with a stack of splits; it must fit everywhere."""
    seen: set[tuple[str, tuple[str, ...]]] = {(graph.start, ())}
    waiting = list(seen)
    while waiting:
        name, stack = waiting.pop()
        node = graph[name]
        if node.is_join:
            assert graph[stack[-1]].matching_join == name
            stack = stack[:-1]
        assert stack == node.split_parents
        if name == graph.end:
            assert stack == ()
        if node.type in (NodeType.SPLIT, NodeType.FOREACH):
            stack = (*stack, name)
        new = {(target, stack) for target in node.targets} - seen
        seen |= new
        waiting += new
    assert {name for name, _ in seen} == set(graph.nodes)
