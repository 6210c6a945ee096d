"""What holds for fresh interpreters in particular."""

import sys
from contextlib import ExitStack, closing

import pytest

from flowkit.enums import Cause
from flowkit.executors.spawn import SpawnExecutor
from flowkit.model.tasks import Needs
from flowkit.testing.attempts import error_of, run, told


@pytest.fixture
def open_spawn():
    with ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(closing(SpawnExecutor(*arguments)))


def test_the_function_gets_its_arguments_and_returns_the_work(open_spawn, tmp_path, monkeypatch):
    (tmp_path / "cellar.py").write_text(
        "from flowkit.testing.works import tell\n"
        "def open_cellar(*wines):\n"
        "    return lambda spec: tell(spec, [wines, spec.inputs])\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    executor = open_spawn("cellar:open_cellar", ("red", "white"))

    assert told(run(executor, "rose")) == [["red", "white"], ["rose"]]


@pytest.mark.parametrize("target", ["no_such_module:function", "flowkit.executors.work:no_such"])
def test_a_target_that_cannot_be_imported_fails_at_the_start(open_spawn, target):
    error = error_of(run(open_spawn(target)))

    assert error.cause is Cause.START
    assert "no_such" in error.message
    assert error.traceback


def test_a_missing_interpreter_fails_at_the_start(open_spawn, tmp_path, monkeypatch):
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(link))
    (tmp_path / "pyvenv.cfg").write_text("")
    executor = open_spawn("flowkit.executors.work:resolve", ("flowkit.testing.works:succeed",))
    run(executor)
    link.unlink()

    assert error_of(run(executor)).cause is Cause.START


def test_variables_are_set_before_the_interpreter_starts(open_spawn):
    executor = open_spawn("flowkit.executors.work:resolve", ("flowkit.testing.works:tell_odd",))
    needs = Needs(environment={"PYTHONHASHSEED": "x"})

    error = error_of(run(executor, needs=needs))
    assert (error.cause, error.message) == (
        Cause.EXIT,
        "step ended with exit code 1 without finishing",
    )
