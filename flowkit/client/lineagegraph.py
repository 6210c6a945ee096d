"""Lineage as a graph of tasks and artifacts, drawn as a tree, as GraphViz or as JSON."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class LineageNode:
    """One task or one artifact.

    Attributes:
        id: Unique in its lineage: pathspec of the task, or of the artifact where it was made;
            "name@version" for an upload.
        kind: "task" or "artifact".
        label: How people read it: "Train/3/fit" for a task, its versions for a named artifact.
        versions: Labels of the versions that an artifact is.
        digest: Digest of an artifact, "" for tasks.
    """

    id: str
    kind: str
    label: str
    versions: tuple[str, ...] = ()
    digest: str = ""


@dataclass(slots=True)
class Lineage:
    """Tasks and artifacts, and which leads to which.

    Attributes:
        root: Id of the artifact that was asked for.
        nodes: By id.
        edges: Pairs of ids: what was read or made, and by or from what; each once.
    """

    root: str
    nodes: dict[str, LineageNode] = field(default_factory=dict)
    edges: dict[tuple[str, str], None] = field(default_factory=dict)

    def add(self, before: LineageNode, after: LineageNode) -> None:
        """Add an edge with its nodes."""
        self.nodes.setdefault(before.id, before)
        self.nodes.setdefault(after.id, after)
        self.edges[before.id, after.id] = None

    def before(self, node_id: str) -> list[LineageNode]:
        """Return what leads directly to a node."""
        return [self.nodes[one] for one, other in self.edges if other == node_id]

    def after(self, node_id: str) -> list[LineageNode]:
        """Return what a node leads to directly."""
        return [self.nodes[other] for one, other in self.edges if one == node_id]

    def tasks(self) -> list[LineageNode]:
        """Return the tasks."""
        return [node for node in self.nodes.values() if node.kind == "task"]

    def artifacts(self) -> list[LineageNode]:
        """Return the artifacts."""
        return [node for node in self.nodes.values() if node.kind == "artifact"]

    def __str__(self) -> str:
        return tree(self)

    __repr__ = __str__


def tree(lineage: Lineage) -> str:
    """Return two trees: what the artifact was made of, then what was made of it."""
    root = lineage.nodes[lineage.root]
    lines = [root.label]
    up = [f"  {line}" for line in _branches(root, lineage.before, "<-")]
    down = [f"  {line}" for line in _branches(root, lineage.after, "->")]
    lines += ["made of", *up] if up else []
    lines += ["used for", *down] if down else []
    return "\n".join(lines)


def _branches(
    root: LineageNode, following: Callable[[str], list[LineageNode]], arrow: str
) -> Iterator[str]:
    """Yield a line per node, deeper ones indented; what was drawn already is not followed."""
    drawn: set[str] = set()
    pending = [(node, 0) for node in reversed(following(root.id))]
    while pending:
        node, depth = pending.pop()
        again = " ..." if node.id in drawn and following(node.id) else ""
        yield f"{'  ' * depth}{arrow} {_words(node)}{again}"
        if node.id not in drawn:
            drawn.add(node.id)
            pending += [(other, depth + 1) for other in reversed(following(node.id))]


def _words(node: LineageNode) -> str:
    if node.kind == "task":
        return f"task {node.id}"
    return f"{node.label}  ({node.id})" if node.label != node.id else node.label


def to_dot(lineage: Lineage) -> str:
    """Return the lineage as GraphViz text."""
    lines = ["digraph lineage {", "  rankdir=LR;", "  node [fontname=Helvetica];"]
    for node in lineage.nodes.values():
        shape = "box" if node.kind == "task" else "ellipse"
        lines.append(f"  {_quoted(node.id)} [label={_quoted(node.label)}, shape={shape}];")
    lines += [f"  {_quoted(one)} -> {_quoted(other)};" for one, other in lineage.edges]
    return "\n".join([*lines, "}"])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def to_json(lineage: Lineage) -> Mapping[str, Any]:
    """Return a lineage as JSON values."""
    return {
        "root": lineage.root,
        "nodes": [
            {
                "id": node.id,
                "kind": node.kind,
                "label": node.label,
                "versions": list(node.versions),
                "digest": node.digest,
            }
            for node in lineage.nodes.values()
        ],
        "edges": [list(edge) for edge in lineage.edges],
    }
