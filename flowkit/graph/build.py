"""A flow's steps, connected into a `Graph`; what is wrong with it is for the rules to say."""

from collections.abc import Mapping
from dataclasses import replace
from inspect import cleandoc

from flowkit.authoring.flowdef import FlowDef
from flowkit.graph.graph import Graph, Node, NodeType
from flowkit.graph.parse import parse_step
from flowkit.graph.paths import open_branches
from flowkit.graph.sources import Sources

_KEEPS_TYPE = (NodeType.SPLIT, NodeType.FOREACH, NodeType.SWITCH)


def build_graph(flow: FlowDef, sources: Sources | None = None) -> Graph:
    """Read the graph of a flow from the source of its steps.

    A graph that breaks rules is built as far as possible: ask `flowkit.graph.rules.check` before
    it is used.

    Args:
        flow: The flow.
        sources: Kept by the caller, to be used again; new ones when omitted.

    Raises:
        DefinitionError: The source of a step is not available.
    """
    sources = sources or Sources()
    parsed = {name: parse_step(step, sources) for name, step in flow.steps.items()}
    marked_starts = tuple(name for name, step in flow.steps.items() if step.is_start)
    marked_ends = tuple(name for name, step in flow.steps.items() if step.is_end)
    start = _endpoint("start", marked_starts, parsed)
    end = _endpoint("end", marked_ends, parsed)
    return Graph(
        flow=flow.name,
        nodes=connect(parsed, start, end),
        start=start,
        end=end,
        doc=cleandoc(flow.doc),
        file=flow.file,
        line=sources.class_line(flow.file, flow.cls.__name__),
        marked_starts=marked_starts,
        marked_ends=marked_ends,
    )


def _endpoint(name: str, marked: tuple[str, ...], nodes: Mapping[str, Node]) -> str:
    if marked:
        return marked[0]
    if name in nodes:
        return name
    return next(iter(nodes)) if len(nodes) == 1 else ""


def connect(nodes: Mapping[str, Node], start: str, end: str) -> dict[str, Node]:
    """Return the nodes with everything filled in that depends on the others.

    Args:
        nodes: By name, in the order of definition, with the types of the steps alone.
        start: Name of the first step, "" when there is none.
        end: Name of the last step, "" when there is none.
    """
    typed = {name: replace(node, type=_type(node, start, end)) for name, node in nodes.items()}
    predecessors: dict[str, list[str]] = {name: [] for name in nodes}
    for node in nodes.values():
        for target in node.targets:
            if target in nodes:
                predecessors[target].append(node.name)
    opened = open_branches(typed, start)
    joins: dict[str, str] = {}
    for node in nodes.values():
        if node.is_join and opened.get(node.name):
            joins.setdefault(opened[node.name][-1].split, node.name)
    around = {
        name: tuple(branch.split for branch in (branches[:-1] if typed[name].is_join else branches))
        for name, branches in opened.items()
    }
    foreaches = {name for name, node in typed.items() if node.type is NodeType.FOREACH}
    return {
        name: replace(
            node,
            predecessors=tuple(predecessors[name]),
            matching_join=joins.get(name),
            split_parents=around.get(name, ()),
            is_inside_foreach=not foreaches.isdisjoint(around.get(name, ())),
        )
        for name, node in typed.items()
    }


def _type(node: Node, start: str, end: str) -> NodeType:
    if node.name == end:
        return NodeType.END
    if node.name == start and node.type not in _KEEPS_TYPE:
        return NodeType.START
    return node.type
