"""Flow files written from a shape and the behaviours that put code into its steps."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import dedent, indent
from typing import TYPE_CHECKING

from tests.matrix.shapes import Node, Shape

if TYPE_CHECKING:
    from tests.matrix.lab import Outcome


def anywhere(shape: Shape) -> bool:
    """Whether a behaviour has something to show on this shape: it always has."""
    return True


@dataclass(frozen=True)
class Behaviour:
    """Code that goes into the steps of a flow, and what must come of it.

    Attributes:
        name: A few words.
        check: Looks at the finished run.
        code: Role to the lines that steps of this role get. What is for joins goes before the
            flow's one ``merge_artifacts``, everything else behind it.
        own: Artifacts that differ between branches, which joins don't merge.
        module: Lines at the top of the file.
        body: Lines in the class.
        applies: Whether the behaviour has something to show on a shape.
        executors: Where it can be had.
    """

    name: str
    check: "Callable[[Outcome], None]"
    code: Mapping[str, str] = field(default_factory=dict)
    own: Sequence[str] = ()
    module: str = ""
    body: str = ""
    applies: Callable[[Shape], bool] = anywhere
    executors: Sequence[str] = ("local", "inline", "spawn")


HEADER = '''
import json
import os
import signal
import sys

from flowkit import FlowSpec, JSONType, Parameter, catch, current, environment, parallel, retry
from flowkit import step, timeout

HERE = os.path.dirname(os.path.abspath(__file__))


def note(key):
    """Leave a line behind: this task was executed."""
    with open(os.path.join(HERE, "events"), "a", encoding="utf-8") as file:
        file.write(json.dumps([current.run_id, *key]) + "\\n")
'''
OWN = ("key", "rounds")


def flow_source(
    shape: Shape,
    behaviours: Sequence[Behaviour] = (),
    decorators: Mapping[str, Sequence[str]] | None = None,
    endings: Mapping[str, str] | None = None,
) -> str:
    """Return the text of a flow file.

    Args:
        shape: Its graph.
        behaviours: What its steps do.
        decorators: Step to the lines above it.
        endings: Step to further lines, the last ones before it goes on.
    """
    parts = [dedent(HEADER), *(dedent(one.module) for one in behaviours if one.module), "\n"]
    parts.append(f"class {shape.flow}(FlowSpec):\n    '''A generated flow.'''\n\n")
    parts += [indent(dedent(one.body), "    ") for one in behaviours if one.body]
    for node in shape:
        parts += [f"    {line}\n" for line in (decorators or {}).get(node.name, ())]
        lines = _step_lines(shape, node, behaviours, (endings or {}).get(node.name, ""))
        parts.append(indent("\n".join(lines), "    ") + "\n\n")
    parts.append(f'\nif __name__ == "__main__":\n    {shape.flow}()\n')
    return "".join(parts)


def _step_lines(
    shape: Shape, node: Node, behaviours: Sequence[Behaviour], ending: str
) -> Iterator[str]:
    roles = shape.roles(node)
    if "gang" in roles:
        yield "@parallel"
    yield "@step"
    yield f"def {node.name}(self{', inputs' if node.is_join else ''}):"
    body = [*_body(shape, node, roles, behaviours), *dedent(ending).strip().splitlines()]
    yield from (f"    {line}" for line in [*body, *_transition(node)])


def _body(
    shape: Shape, node: Node, roles: frozenset[str], behaviours: Sequence[Behaviour]
) -> Iterator[str]:
    if node.is_loop:
        yield 'self.rounds = getattr(self, "rounds", 0) + 1'
    number = "self.rounds - 1" if node.is_loop else "0"
    indices = "tuple(level[0] for level in self.foreach_stack())"
    yield f"self.key = ({node.name!r}, {indices}, {number})"
    yield "note(self.key)"
    if node.is_join:
        yield from _blocks(behaviours, frozenset({"join"}))
        yield f"self.merge_artifacts(inputs, exclude={_differing(shape, behaviours)!r})"
    yield from _blocks(behaviours, roles - {"join"})


def _blocks(behaviours: Sequence[Behaviour], roles: frozenset[str]) -> Iterator[str]:
    for behaviour in behaviours:
        for role, block in behaviour.code.items():
            if role in roles:
                yield f"# {behaviour.name}, {role}"
                yield from dedent(block).strip().splitlines()


def _differing(shape: Shape, behaviours: Sequence[Behaviour]) -> list[str]:
    decided = [node.items_name for node in shape if node.items]
    decided += [node.condition for node in shape if node.is_switch]
    return sorted({*OWN, *decided, *(name for one in behaviours for name in one.own)})


def _transition(node: Node) -> Iterator[str]:
    if node.items:
        yield f"self.{node.items_name} = {node.items}"
        yield f'self.next(self.{node.to[0]}, foreach="{node.items_name}")'
    elif node.gang:
        yield f"self.next(self.{node.to[0]}, num_parallel={node.gang})"
    elif node.is_switch:
        cases = ", ".join(f"{value!r}: self.{step}" for value, step in node.cases.items())
        yield f"self.{node.condition} = {node.choose}"
        yield f'self.next({{{cases}}}, condition="{node.condition}")'
    elif node.to:
        yield f"self.next({', '.join(f'self.{step}' for step in node.to)})"
