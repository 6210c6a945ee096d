"""``NBRunner`` makes a file of a notebook's cell; the cell here is one that only linecache has."""

import linecache
from typing import Any

import pytest

from flowkit import NBRunner
from flowkit.exceptions import UsageError
from flowkit.programmatic.notebook import cell_source

CELL = """
from flowkit import FlowSpec, Parameter, step
import os; print("imported")

FACTOR = 3


def scaled(x):  # a helper
    return x * FACTOR


print("cell runs")


class CellFlow(FlowSpec):
    n = Parameter("n", default=2)

    @step
    def start(self):
        self.y = scaled(self.n)
        self.next(self.end)

    @step
    def end(self):
        print("y is", self.y)


NBRunner(CellFlow).nbrun()
"""


def cell(text, name="<cell-1>"):
    """Run a cell as a notebook does and return its names."""
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    names: dict[str, Any] = {"__name__": "__main__", "NBRunner": lambda _: Never()}
    exec(compile(text, name, "exec"), names)
    return names


class Never:
    def nbrun(self):
        return None


@pytest.fixture
def flow():
    return cell(CELL)["CellFlow"]


def test_the_file_keeps_what_the_cell_defines_up_to_the_class(flow):
    source = cell_source(flow)

    lines = source.splitlines()
    assert lines[1] == "from flowkit import FlowSpec, Parameter, step"
    assert lines.index("def scaled(x):  # a helper") == 7
    assert '        print("y is", self.y)' in lines
    assert 'print("cell runs")' not in lines
    assert "nbrun" not in source
    assert source.endswith("if __name__ == '__main__':\n    CellFlow()\n")
    compile(source, "cell", "exec")


def test_decorators_of_the_class_are_kept():
    text = (
        "from flowkit import FlowSpec, project, step\n\n"
        "@project(\n    name='p',\n)\nclass One(FlowSpec):\n    @step\n    def only(self):\n"
        "        pass\n"
    )

    assert "@project(\n    name='p',\n)\nclass One(FlowSpec):" in cell_source(
        cell(text, "<cell-2>")["One"]
    )


def test_a_class_whose_source_is_gone_is_refused(flow):
    del linecache.cache["<cell-1>"]

    with pytest.raises(UsageError, match="source of flow 'CellFlow' is not available"):
        cell_source(flow)


def test_a_cell_runs_and_leaves_only_the_run(flow, tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path))
    monkeypatch.setenv("FLOWKIT_USER", "tester")
    base = tmp_path / "base"
    base.mkdir()
    runner = NBRunner(flow, show_output=False, base_dir=base)

    run = runner.nbrun(n=4)
    resumed = runner.nbresume(origin_run_id=run.id, step_to_rerun="end")
    runner.cleanup()

    assert run.data.y == 12
    assert resumed.origin_pathspec == run.pathspec
    assert list(base.iterdir()) == []


def test_what_is_in_another_cell_is_missing(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path))
    cell("from flowkit import FlowSpec, step", "<cell-3>")
    names = {**cell("x = 1", "<cell-4>")}
    text = "class Two(FlowSpec):\n    @step\n    def only(self):\n        pass\n"
    linecache.cache["<cell-5>"] = (len(text), None, text.splitlines(keepends=True), "<cell-5>")
    exec("from flowkit import FlowSpec, step", names)
    exec(compile(text, "<cell-5>", "exec"), names)

    with NBRunner(names["Two"]) as runner, pytest.raises(UsageError, match="'FlowSpec' is not"):
        runner.nbrun()
