"""The rules about splits and joins: every split is joined, once, by a join of its own."""

from collections.abc import Iterator

from flowkit.graph.graph import Graph, Node, NodeType
from flowkit.graph.paths import Branches, branches_after, in_order, open_branches
from flowkit.graph.problems import Problem, at_def, at_next


def balance(graph: Graph) -> Iterator[Problem]:
    """Every split is joined exactly once, and paths meet only with the same splits open.

    One problem upsets all that comes after it, so only the first one is reported. Every step
    must be reachable.
    """
    opened = open_branches(graph.nodes, graph.start)
    for name in in_order(graph.nodes):
        node = graph[name]
        arrivals = {
            step: branches_after(graph[step], opened[step], name)
            for step in node.predecessors
            if step != name
        } or {"": ()}
        find = _join_problem if node.is_join else _meeting_problem
        message = find(graph, node, arrivals)
        if message is not None:
            yield at_def("balance", node, message)
            return


def _meeting_problem(graph: Graph, node: Node, arrivals: dict[str, Branches]) -> str | None:
    """Return what is wrong with the paths into a step that is no join."""
    deepest = max(arrivals.values(), key=len)
    if len(set(arrivals.values())) > 1:
        return (
            f"step '{node.name}' is reached from different branches "
            f"({', '.join(arrivals)}), but it is not a join step: join the split in step "
            f"'{deepest[-1].split}' first, in a step that takes 'inputs'"
        )
    if node.name == graph.end and deepest:
        return (
            f"the last step '{node.name}' is reached before the split in step "
            f"'{deepest[-1].split}' is joined: add a join step, one that takes 'inputs'"
        )
    return None


def _join_problem(graph: Graph, node: Node, arrivals: dict[str, Branches]) -> str | None:
    """Return what is wrong with the paths into a join."""
    if not any(arrivals.values()):
        return (
            f"step '{node.name}' is a join step (it takes an extra argument), but there is no "
            "split before it: remove the argument"
        )
    splits = {
        (branches[:-1], branches[-1].split) if branches else () for branches in arrivals.values()
    }
    if len(splits) > 1:
        return f"step '{node.name}' joins steps from unrelated splits: {', '.join(arrivals)}"
    split = next(iter(arrivals.values()))[-1].split
    # A set: the cases of a switch inside a branch may come here one by one, only one of them runs.
    positions = {branches[-1].position for branches in arrivals.values()}
    if len(positions) == len(graph[split].targets):
        return None
    return (
        f"step '{node.name}' joins the split in step '{split}', but an incorrect number of steps "
        f"lead to it: expected is one for each of {', '.join(graph[split].targets)}; "
        f"there are: {', '.join(arrivals)}"
    )


def empty_foreach(graph: Graph) -> Iterator[Problem]:
    """There is a step between a foreach and its join."""
    for node, target in _edges(graph):
        if node.type is NodeType.FOREACH and target.type is NodeType.JOIN:
            yield at_next(
                "empty-foreach",
                node,
                f"foreach step '{node.name}' has no children: it leads directly to the join step "
                f"'{target.name}'. Add a step in between, which is run once per item",
            )


def ambiguous_join(graph: Graph) -> Iterator[Problem]:
    """No case of a switch leads directly to a join."""
    for node, target in _edges(graph):
        if node.type is NodeType.SWITCH and target.type is NodeType.JOIN:
            yield at_next(
                "ambiguous-join",
                node,
                f"switch step '{node.name}' leads directly to the join step '{target.name}': "
                "add a plain step in between, where the cases meet",
            )


def num_parallel_target(graph: Graph) -> Iterator[Problem]:
    """``num_parallel`` leads to a step with ``@parallel``."""
    for node, target in _edges(graph):
        if node.has_num_parallel and not target.is_parallel and not target.is_join:
            yield at_next(
                "num-parallel-target",
                node,
                f"step '{node.name}' leads to step '{target.name}' with num_parallel: put "
                f"@parallel above '{target.name}'",
            )


def parallel_followed_by_join(graph: Graph) -> Iterator[Problem]:
    """A step with ``@parallel`` leads to a join."""
    for node, target in _edges(graph):
        if node.is_parallel and not target.is_join:
            yield at_next(
                "parallel-join",
                node,
                f"step '{node.name}' has @parallel, so the next step must be a join: give "
                f"'{target.name}' an argument 'inputs', or add a join step in between",
            )


def parallel_reached_by_num_parallel(graph: Graph) -> Iterator[Problem]:
    """A step with ``@parallel`` is reached by ``num_parallel`` only."""
    for node in graph.nodes.values():
        others = [name for name in node.predecessors if not graph[name].has_num_parallel]
        if node.is_parallel and (others or node.name == graph.start):
            yield at_def(
                "parallel-source",
                node,
                f"step '{node.name}' has @parallel, so it must be reached by "
                f"self.next(self.{node.name}, num_parallel=...)"
                + (f"; these lead to it without: {', '.join(others)}" if others else ""),
            )


def catch_goes_one_way(graph: Graph) -> Iterator[Problem]:
    """A step with ``@catch`` has one way to go on, whatever has happened in it."""
    words = {NodeType.FOREACH: "foreach split", NodeType.SWITCH: "switch"}
    for node in graph.nodes.values():
        if node.is_caught and node.type in words:
            yield at_def(
                "catch-one-way",
                node,
                f"@catch is defined for the step '{node.name}' but @catch is not supported in "
                f"{words[node.type]} steps: put it on the steps that follow",
            )


def _edges(graph: Graph) -> Iterator[tuple[Node, Node]]:
    for node in graph.nodes.values():
        for target in node.targets:
            if target in graph:
                yield node, graph[target]
