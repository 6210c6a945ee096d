"""What a run leaves behind does not depend on how its tasks were run."""

from collections.abc import Callable, Hashable, Iterator

import pytest

from tests.matrix.covering import parameters
from tests.matrix.lab import Lab
from tests.matrix.sabotage import check_steady, differences, write_flow
from tests.matrix.shapes import SHAPES, Shape

CASES = [(shape,) for shape in SHAPES]


def features(case: tuple[Shape]) -> Iterator[Hashable]:
    """What the usual cases must have: each role."""
    (shape,) = case
    yield from (role for node in shape for role in shape.roles(node))


@pytest.mark.parametrize("shape", parameters(CASES, features, str))
def test_artifacts_do_not_depend_on_workers_and_executor(
    make_lab: Callable[[Shape], Lab], shape: Shape
) -> None:
    lab = write_flow(make_lab(shape))
    first = lab.run()

    for executor, *arguments in (("local", "--max-workers", "1"), ("inline",), ("spawn",)):
        lab.executor = executor
        other = lab.run(*arguments)

        assert set(other.tasks) == lab.model.keys
        check_steady(other)
        assert not differences(first, other)
