"""The graph as a frozen value: nodes, and which join ends which split."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class NodeType(StrEnum):
    """What a step is in the graph; the values are the words that users see."""

    START = "start"
    LINEAR = "linear"
    SPLIT = "split"
    FOREACH = "foreach"
    SWITCH = "split-switch"
    JOIN = "join"
    END = "end"


class Tail(StrEnum):
    """What the last statement of a step is."""

    VALID = "valid"
    """A ``self.next(...)`` of one of the forms that there are."""
    MISSING = "missing"
    """Something else; right for the last step of a flow."""
    INVALID = "invalid"
    """A ``self.next(...)`` that can't be read."""


@dataclass(frozen=True, slots=True)
class Node:
    """One step in the graph.

    Attributes:
        name: Name of the step.
        type: START and END for the first and last step, unless the first one is itself a split,
            foreach or switch, which keeps that type. The only step of a flow is an END.
        targets: The steps that may follow, in the order of the source.
        predecessors: The steps that lead here, in the order of definition.
        is_join: Whether the method takes ``inputs``.
        num_args: How many arguments the method has, ``self`` included.
        line: Line of the ``def`` in the source file.
        file: Path of the source file.
        doc: The step's docstring.
        foreach: Name of the foreach variable; None when it isn't one, or not a literal.
        has_num_parallel: Whether the step starts a gang.
        condition: Name of the switch's variable.
        cases: Switch value to step. A key ``config:NAME.KEY`` is looked up at run time.
        matching_join: For a split or foreach: the step that joins its branches.
        split_parents: The open splits and foreaches around the step, outermost first; a join
            stands outside of the split that it joins.
        is_inside_foreach: Whether one of these is a foreach.
        decorators: Names of the step's decorators.
        is_parallel: Whether the step carries ``@parallel``.
        is_caught: Whether it carries ``@catch``.
        tail: What the last statement of the method is.
        tail_line: Line of that statement.
    """

    name: str
    type: NodeType
    targets: tuple[str, ...] = ()
    predecessors: tuple[str, ...] = ()
    is_join: bool = False
    num_args: int = 1
    line: int = 0
    file: str = ""
    doc: str = ""
    foreach: str | None = None
    has_num_parallel: bool = False
    condition: str | None = None
    cases: Mapping[object, str] = field(default_factory=dict)
    matching_join: str | None = None
    split_parents: tuple[str, ...] = ()
    is_inside_foreach: bool = False
    decorators: tuple[str, ...] = ()
    is_parallel: bool = False
    is_caught: bool = False
    tail: Tail = Tail.VALID
    tail_line: int = 0


@dataclass(frozen=True, slots=True)
class Graph:
    """All steps of a flow and how they are connected.

    Attributes:
        flow: Name of the flow.
        nodes: By name, in the order of definition.
        start: Name of the first step, "" when there is none.
        end: Name of the last step, "" when there is none.
        doc: The flow's docstring.
        file: Path of the flow's source file, "" when it has none.
        line: Line of the ``class`` in it, 0 when unknown.
        marked_starts: The steps with ``@step(start=True)``; more than one is a problem.
        marked_ends: The steps with ``@step(end=True)``.
    """

    flow: str
    nodes: Mapping[str, Node]
    start: str
    end: str
    doc: str = ""
    file: str = ""
    line: int = 0
    marked_starts: tuple[str, ...] = ()
    marked_ends: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Node:
        return self.nodes[name]

    def __contains__(self, name: object) -> bool:
        return name in self.nodes
