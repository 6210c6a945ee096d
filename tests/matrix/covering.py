"""A small part of a large product that still has every pair of features."""

import random
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import pytest
from _pytest.mark import ParameterSet

from tests.matrix.model import model_of
from tests.matrix.shapes import Node, Shape

Thing = TypeVar("Thing")
Case = TypeVar("Case", bound=tuple[Any, ...])


def covering(cases: Sequence[Case], features: Callable[[Case], Iterable[Hashable]]) -> list[Case]:
    """Return few cases that have every feature which one of the cases has.

    The case with the most new features is taken next. Cases are looked at in a random order, so
    that the chosen ones differ in other respects as well, but it is the same order each time.
    """
    found = [set(features(case)) for case in cases]
    left = set().union(*found)
    order = list(range(len(cases)))
    random.Random(1).shuffle(order)
    chosen = []
    while left:
        best = max(order, key=lambda number: len(found[number] & left))
        chosen.append(best)
        left -= found[best]
    return [cases[number] for number in sorted(chosen)]


def thinned(
    executors: Sequence[str], shapes: Sequence[Shape], things: Sequence[Thing]
) -> Iterator[tuple[Shape, Node, Thing, str]]:
    """Yield all combinations for the first executor, and for the others one step for each thing."""
    for executor in executors:
        for first, shape in enumerate(shapes):
            nodes = [node for node in shape if model_of(shape).of([node.name])]
            for number, thing in enumerate(things):
                chosen = (
                    nodes if executor == executors[0] else [nodes[(first + number) % len(nodes)]]
                )
                yield from ((shape, node, thing, executor) for node in chosen)


def parameters(
    cases: Sequence[Case], features: Callable[[Case], Iterable[Hashable]], name: Callable[..., str]
) -> list[ParameterSet]:
    """Return the cases for ``parametrize``; all but those that cover the features are slow."""
    usually = covering(cases, features)
    return [
        pytest.param(*case, id=name(*case), marks=() if case in usually else pytest.mark.slow)
        for case in cases
    ]
