"""Whether the transition that a step took is one that its graph allows."""

from collections.abc import Iterable

from flowkit.graph.graph import Graph, Node, NodeType
from flowkit.model.manifest import Transition


def find_problem(
    graph: Graph, step: str, taken: Transition | None, max_num_splits: int
) -> str | None:
    """Compare a step's transition with the static graph.

    Args:
        graph: The flow's graph.
        step: The step that succeeded.
        taken: Where it went; None when it didn't call ``self.next``.
        max_num_splits: How many branches one foreach may have.

    Returns:
        One sentence for the user, or None when the transition is as it should be.
    """
    node = graph[step]
    if step == graph.end:
        return None if taken is None else _mismatch(node, "to end the run", _describe_taken(taken))
    if taken is None:
        return _mismatch(node, _describe_expected(node), "it did not call self.next")
    if not _matches(node, taken):
        return _mismatch(node, _describe_expected(node), _describe_taken(taken))
    if taken.num_parallel is not None and taken.num_parallel < 1:
        return f"num_parallel of step '{step}' must be at least 1, not {taken.num_parallel}"
    if taken.items is not None and len(taken.items) > max_num_splits:
        return (
            f"the foreach of step '{step}' has {len(taken.items)} items, but at most "
            f"{max_num_splits} are allowed: raise the limit with --max-num-splits"
        )
    return None


def _matches(node: Node, taken: Transition) -> bool:
    if (node.type is NodeType.FOREACH) != (taken.items is not None):
        return False
    if node.has_num_parallel != (taken.num_parallel is not None):
        return False
    if node.type is NodeType.SWITCH:
        return len(taken.targets) == 1 and taken.targets[0] in node.targets
    return sorted(taken.targets) == sorted(node.targets)


def _mismatch(node: Node, expected: str, actual: str) -> str:
    return (
        f"Based on static analysis of the code, step '{node.name}' was expected {expected}, "
        f"but {actual}: make sure that the step ends with one unconditional self.next()"
    )


def _describe_expected(node: Node) -> str:
    if node.type is NodeType.SWITCH:
        return f"to transition to one of {_names(node.targets)}"
    if node.has_num_parallel:
        return f"to transition to {_names(node.targets)} with num_parallel"
    if node.type is NodeType.FOREACH:
        return f"to transition to {_names(node.targets)} with foreach"
    return f"to transition to {_names(node.targets)}"


def _describe_taken(taken: Transition) -> str:
    words = f"it transitioned to {_names(taken.targets)}"
    if taken.num_parallel is not None:
        return f"{words} with num_parallel"
    return words if taken.items is None else f"{words} with foreach"


def _names(targets: Iterable[str]) -> str:
    return ", ".join(f"'{target}'" for target in targets)
