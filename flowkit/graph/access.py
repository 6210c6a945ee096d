"""Which attributes the source of one step assigns and reads; what can't be known is said so."""

import ast
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

from flowkit.authoring.decorators import StepDecorator
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.steps import StepDef, is_step
from flowkit.exceptions import DefinitionError
from flowkit.graph.sources import FunctionNode, Sources

_OWN_DECORATORS = "flowkit."


@dataclass(slots=True)
class Access:
    """What one step does with the attributes of its flow.

    Attributes:
        assigned: Attributes that it may assign, with the first line that does.
        certain: Those that it assigns whatever happens, when it ends well.
        deleted: Those that it may delete.
        reads: What it reads before it is certain to have assigned it, with the first line.
        guarded: Of these, what is only read under a condition.
        given: What it reads of parameters, configs, constants and external artifacts.
        merges: Whether it calls ``merge_artifacts``.
        is_open: Whether it may do more than its source tells: ``self`` is given away.
    """

    assigned: dict[str, int] = field(default_factory=dict)
    certain: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    reads: dict[str, int] = field(default_factory=dict)
    guarded: set[str] = field(default_factory=set)
    given: set[str] = field(default_factory=set)
    merges: bool = False
    is_open: bool = False


def step_access(flow: FlowDef, step: StepDef, sources: Sources) -> Access:
    """Read what a step does with attributes, also in the methods that it calls.

    Args:
        flow: The flow.
        step: One of its steps.
        sources: Where the source is.
    """
    access = Access()
    _, function = sources.step(step)
    _Reader(flow, sources, access, ()).read(function)
    for decorator in step.decorators:
        variable = getattr(decorator, "var", None)
        if isinstance(variable, str):
            access.assigned.setdefault(variable, function.lineno)
        is_ours = type(decorator).__module__.startswith(_OWN_DECORATORS)
        if type(decorator).wrap is not StepDecorator.wrap and not is_ours:
            access.is_open = True
    if "__getattr__" in {name for cls in _own_classes(flow.cls) for name in vars(cls)}:
        access.is_open = True
    return access


def _own_classes(flow: type) -> Iterable[type]:
    return (cls for cls in flow.__mro__ if not cls.__module__.startswith(_OWN_DECORATORS))


class _Reader:
    """Walks through one function in the order in which it runs.

    Args:
        flow: The flow.
        sources: Where the source of methods is.
        access: Filled while walking.
        around: Names of the methods that are being read already.
    """

    def __init__(
        self, flow: FlowDef, sources: Sources, access: Access, around: tuple[str, ...]
    ) -> None:
        self._flow = flow
        self._sources = sources
        self._access = access
        self._around = around
        self._me = "self"
        self._is_conditional = bool(around)

    def read(self, function: FunctionNode) -> None:
        """Read a whole function."""
        arguments = [*function.args.posonlyargs, *function.args.args]
        self._me = arguments[0].arg if arguments else "self"
        self._block(function.body)

    # --- statements -------------------------------------------------------------------------------

    def _block(self, statements: Sequence[ast.stmt]) -> None:
        for statement in statements:
            self._statement(statement)

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.If(test=test, body=body, orelse=orelse):
                self._expression(test)
                self._either(body, orelse)
            case ast.For(iter=iterable, target=target, body=body, orelse=orelse):
                self._expression(iterable)
                self._maybe(lambda: self._loop(target, body, orelse))
            case ast.While(test=test, body=body, orelse=orelse):
                self._expression(test)
                self._maybe(lambda: self._blocks(body, orelse))
            case ast.Try() | ast.TryStar():
                self._try(statement)
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                self._expressions(items)
                self._block(body)
            case ast.Match(subject=subject, cases=cases):
                self._expression(subject)
                for case in cases:
                    self._maybe(lambda case=case: self._block(case.body))  # type: ignore[misc]
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                self._maybe(lambda: self._expressions(ast.iter_child_nodes(statement)))
            case _:
                self._simple(statement)

    def _simple(self, statement: ast.stmt) -> None:
        match statement:
            case ast.Assign(targets=targets, value=value):
                self._expression(value)
                self._expressions(targets)
            case ast.AugAssign(target=target, value=value):
                self._expression(value)
                self._augmented(target)
            case ast.AnnAssign(target=target, value=value):
                if value is not None:
                    self._expression(value)
                    self._expression(target)
            case _:
                self._expressions(ast.iter_child_nodes(statement))

    def _blocks(self, *blocks: Sequence[ast.stmt]) -> None:
        for block in blocks:
            self._block(block)

    def _loop(self, target: ast.expr, body: list[ast.stmt], orelse: list[ast.stmt]) -> None:
        self._expression(target)
        self._blocks(body, orelse)

    def _either(self, body: list[ast.stmt], orelse: list[ast.stmt]) -> None:
        """Read two ways; of one that leaves the step, nothing is asked afterwards."""
        before = set(self._access.certain)
        ways = []
        for block in (body, orelse):
            self._access.certain = set(before)
            self._maybe(lambda block=block: self._block(block), keeps=True)  # type: ignore[misc]
            if not block or not isinstance(block[-1], ast.Raise | ast.Continue | ast.Break):
                ways.append(self._access.certain)
        self._access.certain = set.intersection(*ways) if ways else before

    def _try(self, statement: ast.Try | ast.TryStar) -> None:
        if statement.handlers:
            self._maybe(lambda: self._blocks(statement.body, statement.orelse))
            for handler in statement.handlers:
                self._maybe(lambda handler=handler: self._block(handler.body))  # type: ignore[misc]
        else:
            self._blocks(statement.body, statement.orelse)
        self._block(statement.finalbody)

    def _maybe(self, read: Callable[[], None], *, keeps: bool = False) -> None:
        """Read what may not run; what it assigns is certain for itself only."""
        was_conditional, certain = self._is_conditional, set(self._access.certain)
        self._is_conditional = True
        read()
        self._is_conditional = was_conditional
        if not keeps:
            self._access.certain = certain

    # --- expressions ------------------------------------------------------------------------------

    def _expressions(self, nodes: Iterable[ast.AST]) -> None:
        for node in nodes:
            if isinstance(node, ast.stmt):
                self._statement(node)
            else:
                self._expression(node)

    def _expression(self, node: ast.AST) -> None:
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name == self._me:
                self._attribute(attribute, node)
            case ast.Call():
                self._call(node)
            case ast.Name(id=name) if name == self._me:
                self._access.is_open = True
            case ast.Lambda() | ast.IfExp() | ast.BoolOp() | ast.comprehension():
                self._maybe(lambda: self._expressions(ast.iter_child_nodes(node)))
            case _:
                self._expressions(ast.iter_child_nodes(node))

    def _attribute(self, name: str, node: ast.Attribute) -> None:
        if isinstance(node.ctx, ast.Store):
            self._assign(name, node.lineno)
        elif isinstance(node.ctx, ast.Del):
            self._access.deleted.add(name)
            self._access.certain.discard(name)
        else:
            self._load(name, node.lineno)

    def _augmented(self, target: ast.expr) -> None:
        match target:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute) if name == self._me:
                self._load(attribute, target.lineno)
        self._expression(target)

    def _assign(self, name: str, line: int) -> None:
        self._access.assigned.setdefault(name, line)
        self._access.certain.add(name)

    def _load(self, name: str, line: int) -> None:
        if name == "__dict__":
            self._access.is_open = True
        if name in self._flow.read_only:
            self._access.given.add(name)
        if name in self._access.certain or hasattr(self._flow.cls, name):
            self._method(name)
            return
        if name not in self._access.reads:
            self._access.reads[name] = line
            if self._is_conditional:
                self._access.guarded.add(name)
        elif not self._is_conditional:
            self._access.guarded.discard(name)

    def _method(self, name: str) -> None:
        """Read a method of the flow that is used."""
        method = getattr(self._flow.cls, name, None)
        if not isinstance(method, FunctionType) or name in self._around or is_step(method):
            return
        if method.__module__.startswith(_OWN_DECORATORS):
            return
        try:
            _, function = self._sources.step(StepDef(name, method))
        except DefinitionError:
            self._access.is_open = True
            return
        certain = set(self._access.certain)
        _Reader(self._flow, self._sources, self._access, (*self._around, name)).read(function)
        self._access.certain = certain

    def _call(self, call: ast.Call) -> None:
        match call:
            case ast.Call(func=ast.Name(id=function), args=[ast.Name(id=name), *rest]) if (
                name == self._me and function in ("hasattr", "getattr", "setattr", "delattr")
            ):
                self._by_name(function, rest, call.lineno)
            case ast.Call(func=ast.Name(id="super")):
                self._access.is_open = True
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)) if (
                name == self._me
            ):
                self._expressions([*call.args, *(keyword.value for keyword in call.keywords)])
                self._own_method(method, call)
            case _:
                self._expressions(ast.iter_child_nodes(call))

    def _by_name(self, function: str, rest: list[ast.expr], line: int) -> None:
        self._expressions(rest)
        attribute = _text(rest[0]) if rest else None
        if function == "hasattr" or (function == "getattr" and len(rest) > 1):
            return
        if attribute is None or function == "delattr":
            self._access.is_open = True
        elif function == "setattr":
            self._assign(attribute, line)
        else:
            self._load(attribute, line)

    def _own_method(self, method: str, call: ast.Call) -> None:
        first = _text(call.args[0]) if call.args else None
        if method == "merge_artifacts":
            self._access.merges = True
        elif method == "save_artifact" and first is not None:
            has_name = any(keyword.arg == "name" for keyword in call.keywords)
            if has_name or first in self._flow.declarations:
                self._assign(first, call.lineno)
        elif method == "next":
            for keyword in call.keywords:
                variable = _text(keyword.value)
                if keyword.arg in ("foreach", "condition") and variable is not None:
                    self._load(variable, call.lineno)
        else:
            self._load(method, call.lineno)


def _text(node: Any) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
