"""What the tests of the matrix share: directories in which flows are run, on each storage."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.matrix.lab import Lab
from tests.matrix.shapes import Shape
from tests.servers.storages import Storage, choose, on_each_pair

HERE = Path(__file__).parent


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "make_lab" in metafunc.fixturenames:
        on_each_pair(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    choose(config, items, [item for item in items if item.path.parent == HERE])


@pytest.fixture
def make_lab(
    tmp_path: Path, storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Shape, str], Lab]:
    """A function that makes a directory for the flow of a shape."""

    def make(shape: Shape, executor: str = "local") -> Lab:
        lab = Lab(tmp_path / f"{shape.name}-{executor}", shape, executor, storage)
        monkeypatch.setenv("FLOWKIT_HOME", str(lab.directory))
        return lab

    return make
