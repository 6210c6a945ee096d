"""A graph as text, as JSON values and as GraphViz; pure functions that print nothing."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from flowkit.authoring.decorators import FlowDecorator, StepDecorator
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.steps import MARK, StepDef
from flowkit.graph.graph import Graph, Node, NodeType
from flowkit.graph.paths import convergence, in_order, steps_after

_INFO_TYPES = {
    NodeType.SPLIT: "split-static",
    NodeType.FOREACH: "split-foreach",
    NodeType.SWITCH: "split-switch",
}


def show_text(graph: Graph) -> str:
    """Return the text of ``show``: the flow's docstring, then each step, first to last."""
    blocks = [graph.doc] if graph.doc else []
    for name in in_order(graph.nodes):
        node = graph[name]
        lines = [f"@{decorator}" for decorator in node.decorators]
        lines.append(f"Step *{name}*")
        lines += [f"    {line}".rstrip() for line in (node.doc or "?").splitlines()]
        if node.targets:
            lines.append(f"    => {', '.join(node.targets)}")
        blocks.append("\n".join(lines))
    return "\n\n".join(blocks)


def to_dot(graph: Graph) -> str:
    """Return the graph as GraphViz text; equal graphs give equal text."""
    lines = [f"digraph {_quoted(graph.flow)} {{", "  rankdir=LR;"]
    lines.append("  node [shape=box, fontname=Helvetica];")
    order = in_order(graph.nodes)
    lines += [f"  {_quoted(name)} [label={_quoted(_label(graph[name]))}];" for name in order]
    for name in order:
        for target in graph[name].targets:
            words = _edge_words(graph[name], target)
            label = f" [label={_quoted(words)}]" if words else ""
            lines.append(f"  {_quoted(name)} -> {_quoted(target)}{label};")
    return "\n".join([*lines, "}"])


def _label(node: Node) -> str:
    is_plain = node.type in (NodeType.START, NodeType.LINEAR, NodeType.END)
    return node.name if is_plain else f"{node.name}\n{node.type}"


def _edge_words(node: Node, target: str) -> str:
    if node.type is NodeType.SWITCH:
        values = [str(value) for value, step in node.cases.items() if step == target]
        return f"{node.condition}: {', '.join(values)}"
    if node.type is NodeType.FOREACH:
        return "num_parallel" if node.has_num_parallel else f"foreach {node.foreach or '...'}"
    return ""


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def to_raw(graph: Graph) -> dict[str, Any]:
    """Return every node with all its fields as JSON values, for ``output-raw``."""
    fields = [one.name for one in dataclasses.fields(Node)]
    return {
        name: {field: _plain(getattr(node, field)) for field in fields}
        for name, node in graph.nodes.items()
    }


def to_json(graph: Graph, flow: FlowDef) -> dict[str, Any]:
    """Return the JSON values of ``show --json``: the flow's name, and its `graph_info`."""
    return {"name": graph.flow, **graph_info(flow, graph)}


def graph_info(flow: FlowDef, graph: Graph) -> dict[str, Any]:
    """Return the artifact ``_graph_info``: flow and graph as JSON values.

    Args:
        flow: The flow.
        graph: Its graph, which must keep all rules.
    """
    return {
        "file": flow.file.rpartition("/")[2],
        "start_step": graph.start,
        "end_step": graph.end,
        "parameters": [
            {"name": parameter.name, "type": parameter.type_name}
            for parameter in flow.parameters.values()
        ]
        + [{"name": config.name, "type": "Config"} for config in flow.configs.values()],
        "constants": [
            {"name": name, "type": type(value).__name__} for name, value in flow.constants.items()
        ],
        "steps": {name: _step_info(graph[name], flow) for name in in_order(graph.nodes)},
        "graph_structure": _structure(graph),
        "doc": graph.doc,
        "decorators": [
            _decorator_info(decorator, statically_defined=True) for decorator in flow.decorators
        ],
        "extensions": {},
    }


def _step_info(node: Node, flow: FlowDef) -> dict[str, Any]:
    info: dict[str, Any] = {
        "name": node.name,
        "type": _info_type(node),
        "line": node.line,
        "source_file": node.file,
        "doc": node.doc,
        "decorators": _step_decorators(flow.steps[node.name]),
        "next": list(node.targets),
        "node_info": {},
    }
    if node.has_num_parallel:
        info["num_parallel"] = True
    elif node.type is NodeType.FOREACH:
        info["foreach_artifact"] = node.foreach
    elif node.type is NodeType.SWITCH:
        info["condition"] = node.condition
        info["switch_cases"] = _plain(node.cases)
    if node.matching_join is not None:
        info["matching_join"] = node.matching_join
    return info


def _info_type(node: Node) -> str:
    if node.has_num_parallel:
        return "split-parallel"
    return _INFO_TYPES.get(node.type, str(node.type))


def _step_decorators(step: StepDef) -> list[dict[str, Any]]:
    """Describe a step's decorators; those that its source doesn't have came from elsewhere."""
    written = getattr(getattr(step.function, MARK, None), "decorators", ())
    return [
        _decorator_info(one, statically_defined=any(one is other for other in written))
        for one in step.decorators
    ]


def _decorator_info(
    decorator: StepDecorator | FlowDecorator, *, statically_defined: bool
) -> dict[str, Any]:
    # is_dataclass() would make the type checker believe that every decorator is one.
    names = getattr(decorator, "__dataclass_fields__", None) or vars(decorator)
    return {
        "name": decorator.title(),
        "attributes": {
            name: _plain(getattr(decorator, name)) for name in names if not name.startswith("_")
        },
        "statically_defined": statically_defined,
        "inserted_by": None,
    }


def _structure(graph: Graph) -> list[Any]:
    """Return step names in order; behind each split stands a list with a list per branch."""
    meets = convergence(graph.nodes)

    def between(name: str, stop: str) -> list[Any]:
        found: list[Any] = []
        while name != stop:
            node = graph[name]
            found.append(name)
            ways = list(steps_after(node, graph.nodes))
            if len(ways) > 1 or node.type is NodeType.FOREACH:
                join = node.matching_join or meets[name]
                found.append([between(way, join) for way in ways])
                name = join
            else:
                name = meets[name]
        return found

    return between(graph.start, "")


def _plain(value: object) -> Any:
    """Return a value reduced to what JSON has, and the same in every process."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((_plain(one) for one in value), key=str)
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return getattr(value, "__qualname__", None) or type(value).__qualname__
