"""Syntax trees of source files, each read and parsed once."""

import ast
import linecache
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import unwrap
from typing import Any

from flowkit.authoring.steps import StepDef
from flowkit.exceptions import DefinitionError

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class _Tree:
    """What one file defines: functions by name and first line, lines of classes by name."""

    functions: Mapping[tuple[str, int], FunctionNode] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)


class Sources:
    """Finds the definitions of steps and classes; made for one flow and then dropped.

    Whole files are parsed, not the text of single methods: that is faster than tokenizing each
    method, and neither indentation nor a string that ends in the first column can confuse it.
    """

    def __init__(self) -> None:
        self._trees: dict[str, _Tree] = {}

    def step(self, step: StepDef) -> tuple[str, FunctionNode]:
        """Return the file of a step's method and the method's syntax tree.

        Decorators that keep ``__wrapped__`` (`functools.wraps`) are looked through.

        Raises:
            DefinitionError: The source isn't there, or isn't the one that was loaded.
        """
        code = getattr(unwrap(step.function), "__code__", None)
        if code is None:
            raise DefinitionError(f"step '{step.name}' is no method: write it with def")
        tree = self._tree(code.co_filename, _globals(step.function))
        if not tree.functions:
            raise DefinitionError(
                f"step '{step.name}': its source is not available in {code.co_filename}; the graph "
                "is read from the source, so define the flow in a file or in a notebook cell"
            )
        found = tree.functions.get((code.co_name, code.co_firstlineno))
        if found is None:
            raise DefinitionError(
                f"step '{step.name}': {code.co_filename} has no method '{code.co_name}' on line "
                f"{code.co_firstlineno}; the file has changed since it was loaded, or the step is "
                "not written with def: load it again"
            )
        return code.co_filename, found

    def class_line(self, file: str, name: str) -> int:
        """Return the line of a ``class`` statement, 0 when it can't be found."""
        return self._tree(file, {}).classes.get(name, 0)

    def _tree(self, file: str, module_globals: Mapping[str, Any]) -> _Tree:
        if file not in self._trees:
            self._trees[file] = _parse(file, module_globals)
        return self._trees[file]


def _globals(function: Callable[..., Any]) -> Mapping[str, Any]:
    return getattr(unwrap(function), "__globals__", {})


def _parse(file: str, module_globals: Mapping[str, Any]) -> _Tree:
    # linecache also knows notebook cells and, through the module's loader, files in archives.
    linecache.checkcache(file)
    lines = linecache.getlines(file, dict(module_globals))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the import has warned already
            nodes = list(ast.walk(ast.parse("".join(lines))))
    except (SyntaxError, ValueError):
        return _Tree()
    functions = [node for node in nodes if isinstance(node, FunctionNode)]
    return _Tree(
        functions={(node.name, _first_line(node)): node for node in functions},
        classes={node.name: node.lineno for node in nodes if isinstance(node, ast.ClassDef)},
    )


def _first_line(node: FunctionNode) -> int:
    """Return the line where the compiled function begins: that of its first decorator."""
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
