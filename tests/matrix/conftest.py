"""What the tests of the matrix share: directories in which flows are run."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.matrix.lab import Lab
from tests.matrix.shapes import Shape


@pytest.fixture
def make_lab(tmp_path: Path) -> Callable[[Shape, str], Lab]:
    """A function that makes a directory for the flow of a shape."""

    def make(shape: Shape, executor: str = "local") -> Lab:
        return Lab(tmp_path / f"{shape.name}-{executor}", shape, executor)

    return make
