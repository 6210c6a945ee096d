"""The syntax tree of one step, read into a `Node` that is not connected yet.

Only the last statement of a method says where the step goes: the graph is known before anything
runs, so a ``self.next`` inside ``if``, ``with`` or ``try`` can't count.
"""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from inspect import cleandoc

from flowkit.authoring.builtin import catch
from flowkit.authoring.steps import StepDef
from flowkit.graph.graph import Node, NodeType, Tail
from flowkit.graph.sources import Sources

_JOIN_ARGUMENTS = 2


@dataclass(frozen=True, slots=True)
class _Next:
    """A ``self.next(...)`` that could be read."""

    type: NodeType = NodeType.LINEAR
    targets: tuple[str, ...] = ()
    foreach: str | None = None
    has_num_parallel: bool = False
    condition: str | None = None
    cases: Mapping[object, str] = field(default_factory=dict)


def parse_step(step: StepDef, sources: Sources) -> Node:
    """Read what the source of one step says about the graph.

    The node is not connected: its type is that of the step alone (never START or END), and it
    knows neither predecessors nor the splits around it.

    Args:
        step: The step.
        sources: Where the source is; shared by the steps of a flow, so a file is read once.

    Raises:
        DefinitionError: The source is not available.
    """
    file, function = sources.step(step)
    arguments = [arg.arg for arg in (*function.args.posonlyargs, *function.args.args)]
    last = function.body[-1]
    myself = arguments[0] if arguments else "self"
    call = _next_call(last, myself)
    read = _read_next(call, myself) if call else None
    found = read or _Next()
    is_join = len(arguments) == _JOIN_ARGUMENTS
    return Node(
        name=step.name,
        type=NodeType.JOIN if is_join and found.type is NodeType.LINEAR else found.type,
        targets=found.targets,
        is_join=is_join,
        num_args=len(arguments),
        line=function.lineno,
        file=file,
        doc=cleandoc(step.doc),
        foreach=found.foreach,
        has_num_parallel=found.has_num_parallel,
        condition=found.condition,
        cases=found.cases,
        decorators=tuple(decorator.title() for decorator in step.decorators),
        is_parallel=any(getattr(deco, "is_parallel", False) is True for deco in step.decorators),
        is_caught=step.decorator(catch) is not None,
        tail=Tail.VALID if read else Tail.INVALID if call else Tail.MISSING,
        tail_line=last.lineno,
    )


def _next_call(statement: ast.stmt, myself: str) -> ast.Call | None:
    match statement:
        case ast.Expr(
            value=ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="next")) as call
        ) if name == myself:
            return call
    return None


def _read_next(call: ast.Call, myself: str) -> _Next | None:
    """Return what the call says, None when it has none of the forms that there are."""
    if not call.args or len(call.keywords) > 1:
        return None
    keyword = call.keywords[0] if call.keywords else None
    if isinstance(call.args[0], ast.Dict) or (keyword and keyword.arg == "condition"):
        return _read_switch(call.args, keyword, myself)
    targets = _step_names(call.args, myself)
    if targets is None or len(set(targets)) < len(targets):
        return None
    if keyword is None:
        return _Next(NodeType.SPLIT if len(targets) > 1 else NodeType.LINEAR, targets)
    if len(targets) > 1:
        return None
    return _read_foreach(targets, keyword)


def _read_foreach(targets: tuple[str, ...], keyword: ast.keyword) -> _Next | None:
    if keyword.arg == "num_parallel":
        return _Next(NodeType.FOREACH, targets, has_num_parallel=True)
    is_literal = isinstance(keyword.value, ast.Constant)
    variable = _string(keyword.value)
    if keyword.arg != "foreach" or (is_literal and variable is None):
        return None
    return _Next(NodeType.FOREACH, targets, foreach=variable)


def _read_switch(
    args: Sequence[ast.expr], keyword: ast.keyword | None, myself: str
) -> _Next | None:
    """Read a switch; one that lacks its dict or its condition is left to the rules."""
    if len(args) > 1 or (keyword and keyword.arg != "condition"):
        return None
    condition = _string(keyword.value) if keyword else None
    if not isinstance(args[0], ast.Dict):
        targets = _step_names(args, myself)
        return None if targets is None else _Next(NodeType.SWITCH, targets, condition=condition)
    keys = [_case_key(key, myself) for key in args[0].keys]
    steps = _step_names(args[0].values, myself)
    if steps is None or None in keys:
        return None
    cases = dict(zip(keys, steps, strict=True))
    targets = tuple(dict.fromkeys(cases.values()))
    return _Next(NodeType.SWITCH, targets, condition=condition, cases=cases)


def _step_names(expressions: Sequence[ast.expr], myself: str) -> tuple[str, ...] | None:
    """Return a for each ``self.a``, None when one of the expressions is something else."""
    names = []
    for expression in expressions:
        match expression:
            case ast.Attribute(value=ast.Name(id=name), attr=step) if name == myself:
                names.append(step)
            case _:
                return None
    return tuple(names)


def _case_key(key: ast.expr | None, myself: str) -> object:
    """Return a constant, ``config:NAME.KEY`` for ``self.NAME.KEY``, None for anything else."""
    match key:
        case ast.Attribute(
            value=ast.Attribute(value=ast.Name(id=name), attr=config), attr=entry
        ) if name == myself:
            return f"config:{config}.{entry}"
        case ast.Constant() | ast.UnaryOp(operand=ast.Constant()):
            return _constant(key)
    return None


def _constant(expression: ast.expr) -> str | int | float | None:
    try:
        value = ast.literal_eval(expression)
    except ValueError:
        return None
    return value if isinstance(value, str | int | float) else None


def _string(expression: ast.expr) -> str | None:
    match expression:
        case ast.Constant(value=str(value)):
            return value
    return None
