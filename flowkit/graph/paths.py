"""Walks over the nodes of a graph, also a broken one: order, loops, open splits, convergence."""

from collections.abc import Iterator, Mapping
from heapq import heapify, heappop, heappush
from typing import NamedTuple

from flowkit.graph.graph import Node, NodeType


class Branch(NamedTuple):
    """One branch of a split: the split's name and the position among its targets."""

    split: str
    position: int


Branches = tuple[Branch, ...]
"""The branches around a step, outermost first."""


def steps_after(node: Node, nodes: Mapping[str, Node]) -> Iterator[str]:
    """Yield the steps that exist among a node's targets, without a switch's way back to itself."""
    for target in node.targets:
        is_recursion = target == node.name and node.type is NodeType.SWITCH
        if target in nodes and not is_recursion:
            yield target


def branches_after(node: Node, around: Branches, target: str) -> Branches:
    """Return the branches that are open on the way from a node to one of its targets.

    Args:
        node: The node that is left.
        around: The branches open when the node is entered.
        target: The node that is gone to.
    """
    inner = around[:-1] if node.is_join else around
    if node.type in (NodeType.SPLIT, NodeType.FOREACH):
        return (*inner, Branch(node.name, node.targets.index(target)))
    return inner


def open_branches(nodes: Mapping[str, Node], start: str) -> dict[str, Branches]:
    """Return the branches open when a step is entered, for every step reachable from the start.

    For a join they still have the branch that it ends. Where paths disagree, one of them is
    given: whether they agree is for the rules to say.
    """
    found: dict[str, Branches] = {start: ()} if start in nodes else {}
    waiting = list(found)
    while waiting:
        node = nodes[waiting.pop()]
        for target in steps_after(node, nodes):
            if target not in found:
                found[target] = branches_after(node, found[node.name], target)
                waiting.append(target)
    return found


def in_order(nodes: Mapping[str, Node]) -> list[str]:
    """Return all names so that every step comes after those that lead to it.

    Otherwise the order of definition holds. Steps that are part of a loop, or come after one,
    stand at the end.
    """
    names = list(nodes)
    place = {name: position for position, name in enumerate(names)}
    missing = dict.fromkeys(names, 0)
    for node in nodes.values():
        for target in steps_after(node, nodes):
            missing[target] += 1
    ready = [place[name] for name, count in missing.items() if count == 0]
    heapify(ready)
    ordered: dict[str, None] = {}
    while ready:
        node = nodes[names[heappop(ready)]]
        ordered[node.name] = None
        for target in steps_after(node, nodes):
            missing[target] -= 1
            if missing[target] == 0:
                heappush(ready, place[target])
    return [*ordered, *(name for name in names if name not in ordered)]


def loops(nodes: Mapping[str, Node]) -> Iterator[list[str]]:
    """Yield loops as lists of names that end with the name they begin with.

    A switch that leads to itself is none.
    """
    done: set[str] = set()
    for root in nodes:
        trail = {} if root in done else {root: steps_after(nodes[root], nodes)}
        while trail:
            name = next(reversed(trail))
            target = next(trail[name], None)
            if target is None:
                done.add(name)
                del trail[name]
            elif target in trail:
                names = list(trail)
                yield [*names[names.index(target) :], target]
            elif target not in done:
                trail[target] = steps_after(nodes[target], nodes)


def convergence(nodes: Mapping[str, Node]) -> dict[str, str]:
    """Return for each step the first one that all paths from it come to; "" for the last step.

    For a split that is its join, for a switch the step where its cases meet again.

    Args:
        nodes: A graph without loops.
    """
    order = in_order(nodes)
    place = {name: position for position, name in enumerate(order)} | {"": len(order)}
    after: dict[str, str] = {}
    for name in reversed(order):
        targets = list(steps_after(nodes[name], nodes)) or [""]
        meeting = targets[0]
        for target in targets[1:]:
            other = target
            while meeting != other:
                if place[meeting] < place[other]:
                    meeting = after[meeting]
                else:
                    other = after[other]
        after[name] = meeting
    return after
