"""The rules a flow's graph must keep, one function each; `check` reports all breaches at once."""

import re
from collections.abc import Callable, Iterable, Iterator

from flowkit.exceptions import InvalidNameError
from flowkit.graph.graph import Graph, Node, NodeType, Tail
from flowkit.graph.paths import loops, open_branches
from flowkit.graph.problems import Problem, at_def, at_next
from flowkit.graph.split_rules import (
    ambiguous_join,
    balance,
    catch_goes_one_way,
    empty_foreach,
    num_parallel_target,
    parallel_followed_by_join,
    parallel_reached_by_num_parallel,
)
from flowkit.model.pathspec import check_identifier

RESERVED = frozenset({"name", "next", "input", "index", "cmd"})
_NAME = re.compile(r"[a-z0-9][a-z0-9_]{0,127}")
_SPLITS = (NodeType.SPLIT, NodeType.FOREACH, NodeType.SWITCH)
_MIN_CASES = 2
_MAX_ARGUMENTS = 2
_FORMS = """\
  self.next(self.a)                              goes on to a
  self.next(self.a, self.b)                      runs a and b in parallel
  self.next(self.a, foreach="items")             runs a once for each of self.items
  self.next(self.a, num_parallel=4)              runs a as a gang of 4
  self.next({"x": self.a, "y": self.b}, condition="kind")   runs a or b, as self.kind says"""


def check(graph: Graph) -> list[Problem]:
    """Return everything that is wrong with a graph, by line; the flow's own file comes first.

    A rule whose answer makes no sense while another one is broken is left out until that one is
    kept, so that one mistake gives one problem.
    """
    problems: list[Problem] = []
    for rule, needs in _RULES:
        if needs.isdisjoint(problem.rule for problem in problems):
            problems += rule(graph)
    return sorted(problems, key=lambda one: (one.file != graph.file, one.file, one.line))


def flow_name(graph: Graph) -> Iterator[Problem]:
    """The flow has a name that pathspecs can hold."""
    try:
        check_identifier(graph.flow)
    except InvalidNameError as error:
        message = f"the flow's class can't have this name: {error.message}"
        yield Problem("flow-name", "", graph.line, graph.file, message)


def reserved_word(graph: Graph) -> Iterator[Problem]:
    """No step has a name that means something else on a flow."""
    for node in graph.nodes.values():
        if node.name in RESERVED:
            yield at_def(
                "reserved-word",
                node,
                f"step name '{node.name}' is a reserved word: choose another name",
            )


def step_name(graph: Graph) -> Iterator[Problem]:
    """Names have lower-case letters, digits and underscores, no underscore first."""
    for node in graph.nodes.values():
        if not _NAME.fullmatch(node.name):
            yield at_def(
                "step-name",
                node,
                f"step '{node.name}' has an invalid name: use lower-case letters a-z, digits and "
                "_, at most 128, and don't begin with _",
            )


def endpoints(graph: Graph) -> Iterator[Problem]:
    """There is exactly one first and one last step."""
    for word, marked, found in _endpoints(graph):
        must = f"flow '{graph.flow}' must have exactly one {word} step"
        if len(marked) > 1:
            message = f"{must}, but these have @step({word}=True): {', '.join(marked)}"
            yield at_def("endpoints", graph[marked[1]], message)
        elif not found:
            message = f"{must}: name it '{word}' or mark it with @step({word}=True)"
            yield Problem("endpoints", "", graph.line, graph.file, message)


def ambiguous_endpoint(graph: Graph) -> Iterator[Problem]:
    """A step called start or end is the marked one, if one is marked."""
    for word, marked, found in _endpoints(graph):
        if len(marked) == 1 and word in graph and found != word:
            yield at_def(
                "ambiguous-endpoint",
                graph[found],
                f"the {word} step is ambiguous: '{found}' has @step({word}=True), but there is "
                f"also a step called '{word}'. Rename that one or remove the mark",
            )


def _endpoints(graph: Graph) -> Iterable[tuple[str, tuple[str, ...], str]]:
    return (
        ("start", graph.marked_starts, graph.start),
        ("end", graph.marked_ends, graph.end),
    )


def start_is_first(graph: Graph) -> Iterator[Problem]:
    """Nothing leads to the first step."""
    start = graph[graph.start]
    if start.predecessors:
        yield at_def(
            "start-step",
            start,
            f"step '{start.name}' is the first step, so no step may lead to it; "
            f"these do: {', '.join(start.predecessors)}",
        )


def end_is_last(graph: Graph) -> Iterator[Problem]:
    """The last step leads nowhere and is no join."""
    end = graph[graph.end]
    if end.tail is not Tail.MISSING:
        yield at_next(
            "end-step",
            end,
            f"step '{end.name}' is the last step, so it must not have a self.next()",
        )
    if end.is_join:
        yield at_def(
            "end-step",
            end,
            f"the last step '{end.name}' should not be a join step (it takes an extra argument). "
            "Add a join step before it",
        )


def arguments(graph: Graph) -> Iterator[Problem]:
    """A step takes ``self``, a join ``inputs`` too; a join is no split at the same time."""
    for node in graph.nodes.values():
        message = _argument_problem(node)
        if message is not None:
            yield at_def("arguments", node, message)


def _argument_problem(node: Node) -> str | None:
    if node.num_args == 0:
        return f"step '{node.name}' is missing the 'self' argument"
    if node.num_args > _MAX_ARGUMENTS:
        return (
            f"step '{node.name}' has too many arguments ({node.num_args}): a step takes 'self', "
            "a join step also 'inputs'"
        )
    if node.is_join and node.type in _SPLITS:
        return (
            f"step '{node.name}' is both a join step (it takes an extra argument) and a split step "
            "(it has several ways to go on). Add a step in between, so that one joins and the "
            "other one splits"
        )
    return None


def missing_next(graph: Graph) -> Iterator[Problem]:
    """Every step but the last one ends with a ``self.next``."""
    for node in graph.nodes.values():
        if node.tail is Tail.MISSING and node.name != graph.end:
            yield at_next(
                "missing-next",
                node,
                f"step '{node.name}' is missing a self.next() transition: make it the last "
                "statement of the step, outside of any if, for, with or try",
            )


def invalid_next(graph: Graph) -> Iterator[Problem]:
    """Every ``self.next`` has one of the forms that there are."""
    for node in graph.nodes.values():
        if node.tail is Tail.INVALID:
            yield at_next(
                "invalid-next",
                node,
                f"step '{node.name}' has an invalid self.next() transition; there are these "
                f"forms, with each step named once:\n{_FORMS}",
            )


def unknown_step(graph: Graph) -> Iterator[Problem]:
    """Every target is a step of the flow."""
    for node in graph.nodes.values():
        for target in node.targets:
            if target not in graph:
                yield at_next(
                    "unknown-step",
                    node,
                    f"step '{node.name}' has a transition to an unknown step '{target}': define "
                    "it, and put @step above it",
                )


def switch(graph: Graph) -> Iterator[Problem]:
    """A switch has a dict with at least two cases, and a condition."""
    for node in graph.nodes.values():
        if node.type is not NodeType.SWITCH or node.tail is not Tail.VALID:
            continue
        if not node.cases and node.targets:
            message = 'needs a dict of cases: self.next({"x": self.a, ...}, condition="kind")'
        elif node.condition is None:
            message = "needs condition='NAME', the name of an attribute as a string"
        elif len(node.cases) < _MIN_CASES:
            message = f"needs at least two cases, it has {len(node.cases)}"
        else:
            continue
        yield at_next("switch", node, f"switch step '{node.name}' {message}")


def acyclic(graph: Graph) -> Iterator[Problem]:
    """There is no loop but that of a switch to itself."""
    for loop in loops(graph.nodes):
        yield at_next(
            "loop",
            graph[loop[-2]],
            f"There is a loop in your flow: {'->'.join(loop)}. Only a switch step may lead back, "
            "and only to itself",
        )


def unreachable(graph: Graph) -> Iterator[Problem]:
    """Every step can be reached from the first one."""
    reached = open_branches(graph.nodes, graph.start)
    for node in graph.nodes.values():
        if node.name not in reached:
            yield at_def(
                "unreachable",
                node,
                f"step '{node.name}' is unreachable from the {graph.start} step: add a "
                f"self.next(self.{node.name}) where it belongs, or remove it",
            )


Rule = Callable[[Graph], Iterable[Problem]]

_ENDS = frozenset({"endpoints", "ambiguous-endpoint"})
_EDGES = _ENDS | {"missing-next", "invalid-next", "unknown-step", "switch", "end-step"}
_SOUND = _EDGES | {"start-step", "arguments", "loop", "unreachable"}

# Each rule with the names of those that must be kept for it to make sense; these come first.
_RULES: tuple[tuple[Rule, frozenset[str]], ...] = (
    (flow_name, frozenset()),
    (reserved_word, frozenset()),
    (endpoints, frozenset()),
    (ambiguous_endpoint, frozenset()),
    (start_is_first, _ENDS),
    (end_is_last, _ENDS),
    (step_name, frozenset()),
    (arguments, frozenset()),
    (missing_next, _ENDS),
    (invalid_next, frozenset()),
    (unknown_step, frozenset()),
    (switch, frozenset()),
    (acyclic, frozenset()),
    (unreachable, _EDGES),
    (balance, _SOUND),
    (empty_foreach, frozenset()),
    (num_parallel_target, frozenset()),
    (parallel_followed_by_join, frozenset()),
    (parallel_reached_by_num_parallel, frozenset()),
    (ambiguous_join, frozenset()),
    (catch_goes_one_way, frozenset()),
)
