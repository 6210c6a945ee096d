"""What a rule reports: one problem, at one line."""

from dataclasses import dataclass

from flowkit.graph.graph import Node


@dataclass(frozen=True, slots=True)
class Problem:
    """One breach of one rule.

    Attributes:
        rule: Name of the rule, e.g. "missing-next".
        step: Name of the step, "" when the flow as a whole is meant.
        line: Line in ``file``, 0 when unknown.
        file: Path of the source file, "" when unknown.
        message: What is wrong and what to do.
    """

    rule: str
    step: str
    line: int
    file: str
    message: str


def at_def(rule: str, node: Node, message: str) -> Problem:
    """Return a problem at the ``def`` of a step."""
    return Problem(rule, node.name, node.line, node.file, message)


def at_next(rule: str, node: Node, message: str) -> Problem:
    """Return a problem at the last statement of a step."""
    return Problem(rule, node.name, node.tail_line, node.file, message)
