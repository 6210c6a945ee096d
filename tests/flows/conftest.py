"""Flow files run through the real command line, each in a directory and a store of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from threading import Timer
from typing import Any

import pytest

from flowkit import DataArtifact, Flow, Run, Step, Task, metadata, namespace
from tests.servers.storages import Storage, choose, on_each_pair

HEADER = (
    "from flowkit import FlowSpec, JSONType, Parameter, catch, current, environment, retry, step\n"
)
HERE = Path(__file__).parent
ON_EACH_PAIR = {
    "test_caching.py",
    "test_configs_flow.py",
    "test_decorators_flow.py",
    "test_flow_decorators_run.py",
    "test_interruptions.py",
    "test_outcomes.py",
    "test_semantics.py",
}
"""Files whose flows are run wherever a team may keep its runs."""
_KINDS = (Flow, Run, Step, Task, DataArtifact)
_FLOW = re.compile(r"^class (\w+)\(.*FlowSpec\):", re.MULTILINE)
_TASK_LINE = re.compile(r"^\S+ \S+ \[[\w-]+/\w+/\d+(?: \(pid \d+\))?\] (.*)$", re.MULTILINE)
TIMEOUT = 60
ENTRY = "from flowkit.cli.main import entry; entry()"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    names = metafunc.fixturenames
    if metafunc.definition.path.name in ON_EACH_PAIR and "program" in names:
        on_each_pair(metafunc)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    choose(config, items, [item for item in items if item.path.parent == HERE])


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """What users' code printed: stdout without time and task."""
        found = _TASK_LINE.findall(self.out)
        return [line for line in found if not line.startswith("Task ")]


class Program:
    """A flow file and the commands that are run with it.

    Args:
        directory: Where the file and the store are.
        source: The flow's source, without imports; a guard that starts its last flow is added
            when it has none.
        file: Name of the file.

    Attributes:
        python: The interpreter.
        process: Further arguments of ``subprocess.run``, such as the user.
        variables: Further variables of the environment.
        storage: Where its metadata and blobs are.
    """

    def __init__(self, directory: Path, source: str, file: str = "flow.py") -> None:
        self.python = sys.executable
        self.process: dict[str, Any] = {}
        self.variables: dict[str, str] = {}
        self.storage = Storage()
        self.directory = directory
        self.path = directory / file
        text = HEADER + dedent(source)
        flows = _FLOW.findall(text)
        if "__main__" not in text:
            text += f"\nif __name__ == '__main__':\n    {flows[-1]}()\n"
        self.flow = flows[-1] if flows else ""
        self.path.write_text(text, encoding="utf-8")

    def line_of(self, text: str) -> int:
        """Return the number of the line that contains a text."""
        lines = self.path.read_text(encoding="utf-8").splitlines()
        return next(number for number, line in enumerate(lines, 1) if text in line)

    def environment(self, **variables: str) -> dict[str, str]:
        """Return the variables of a command: none of flowkit's but those of the test."""
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("FLOWKIT_")}
        own = {"FLOWKIT_HOME": str(self.directory), "FLOWKIT_USER": "tester"}
        return {**inherited, **own, **self.storage.variables, **self.variables, **variables}

    def command(self, *arguments: str) -> list[str]:
        """Return the command line of the flow file."""
        return [self.python, str(self.path), *arguments]

    def __call__(self, *arguments: str, cwd: Path | None = None, **variables: Any) -> Outcome:
        """Run a command to its end."""
        return self.execute(self.command(*arguments), cwd=cwd, **variables)

    def store(self, *arguments: str, **variables: Any) -> Outcome:
        """Run the ``flowkit`` command on the same store."""
        return self.execute([self.python, "-c", ENTRY, *arguments], **variables)

    def execute(self, command: list[str], cwd: Path | None = None, **variables: Any) -> Outcome:
        """Run any command with the same environment."""
        done = subprocess.run(
            command,
            env=self.environment(**variables),
            cwd=cwd or self.directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
            **self.process,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def started(self, *arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
        """Start a command without waiting for it; it is killed at the end, or if it hangs."""
        process = subprocess.Popen(
            self.command(*arguments),
            env=self.environment(**variables),
            cwd=self.directory,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            **self.process,
        )
        watchdog = Timer(TIMEOUT, process.kill)
        watchdog.start()
        with process:
            try:
                yield process
            finally:
                watchdog.cancel()
                process.kill()

    def run(self, *arguments: str, **variables: Any) -> tuple[Outcome, Run]:
        """Run the flow, which has to succeed, and return what was printed and the run."""
        outcome = self("run", *arguments, **variables)
        assert outcome.code == 0, outcome.out + outcome.err
        return outcome, self.read(self.flow).latest_run

    def read(self, pathspec: str):
        """Return the client's object in this program's store."""
        metadata(self.storage.location(str(self.directory)))
        namespace(None)
        return _KINDS[pathspec.count("/")](pathspec)


@pytest.fixture
def program(tmp_path, storage, monkeypatch):
    """A function that makes a program of a flow's source."""
    if storage.variables:
        monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path))

    def make(source, file="flow.py"):
        made = Program(tmp_path, source, file)
        made.storage = storage
        return made

    return make


@pytest.fixture(scope="module")
def shared_program(tmp_path_factory):
    """The same for programs that several tests of a module look at."""
    return lambda source, file="flow.py": Program(tmp_path_factory.mktemp("flow"), source, file)
