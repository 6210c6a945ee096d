"""Flows made from source text, so that the line of every statement is known."""

import sys
from collections.abc import Callable
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from textwrap import dedent, indent

import pytest

from flowkit.authoring.definition import read_definition
from flowkit.authoring.flowdef import FlowDef

HEADER = """\
from flowkit.authoring.decorators import StepDecorator
from flowkit.authoring.parameters import Parameter
from flowkit.authoring.steps import step

class noted(StepDecorator): pass
class parallel(StepDecorator):
    is_parallel = True

class F:
"""
FIRST = HEADER.count("\n") + 1
"""The line in the file of the first line of a flow's body."""


def load(path: Path, source: str) -> FlowDef:
    """The class F of a file with this source."""
    path.write_text(source, encoding="utf-8")
    loader = SourceFileLoader(path.stem, str(path))
    spec = spec_from_loader(path.stem, loader)
    assert spec is not None
    module = module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        loader.exec_module(module)
        definition = read_definition(module.F, object)
    finally:
        del sys.modules[path.stem]
    return definition


@pytest.fixture
def flow_file(tmp_path) -> Callable[[str], FlowDef]:
    """Reads the class F of a whole file."""
    return lambda source: load(tmp_path / "flow_file.py", source)


@pytest.fixture
def flow(flow_file) -> Callable[[str], FlowDef]:
    """Reads a class F with this body; its first line is line 10 of the file."""
    assert FIRST == 10
    return lambda body: flow_file(HEADER + indent(dedent(body).lstrip("\n"), "    "))


@pytest.fixture
def steps(flow: Callable[[str], FlowDef]) -> Callable[..., FlowDef]:
    """Reads a flow from ``name="last statement"``; a name with ``__join`` takes inputs.

    Step number i (from 0) has its ``def`` on line 11 + 3 i, its last statement one below.
    """

    def make(**tails: str) -> FlowDef:
        lines = []
        for name, tail in tails.items():
            is_join = name.endswith("__join")
            lines += [
                "@step",
                f"def {name.removesuffix('__join')}(self{', inputs' if is_join else ''}):",
                f"    {tail or 'pass'}",
            ]
        return flow("\n".join(lines) or "pass")

    return make


@pytest.fixture
def line_of() -> Callable[[int], int]:
    """The line of the ``def`` of a step by its number, see `steps`."""
    return lambda number: FIRST + 1 + 3 * number
