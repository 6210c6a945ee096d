"""Command lines inside the test: the real commands, with a store of their own."""

from dataclasses import dataclass

import pytest

from flowkit.cli.main import main


@dataclass(frozen=True)
class Printed:
    """What a command left: its exit code and what it printed."""

    code: int | str | None
    out: str
    err: str


@pytest.fixture
def command(tmp_path, monkeypatch, capfd):
    """A function that runs a command of a flow class in a store of its own, tasks inline."""
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path))
    monkeypatch.setenv("FLOWKIT_USER", "tester")
    monkeypatch.setenv("FLOWKIT_EXECUTOR", "inline")
    monkeypatch.chdir(tmp_path)

    def run(flow: type, *arguments: str) -> Printed:
        with pytest.raises(SystemExit) as end:
            main(flow, arguments)
        printed = capfd.readouterr()
        return Printed(end.value.code, printed.out, printed.err)

    return run
