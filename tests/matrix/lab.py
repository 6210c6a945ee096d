"""A directory with one flow file and its store: runs it and reads what it has left behind."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from flowkit import Flow, Run, Task, metadata, namespace
from tests.matrix.model import Key, Model, model_of
from tests.matrix.shapes import Shape
from tests.servers.storages import Storage

LONGEST = 120
"""Seconds after which a command is taken to hang."""


@dataclass(frozen=True)
class Called:
    """One finished command."""

    code: int
    stdout: str
    stderr: str

    def __str__(self) -> str:
        return f"exit code {self.code}\n--- stdout\n{self.stdout}\n--- stderr\n{self.stderr}"


@dataclass
class Lab:
    """One flow file in a directory of its own.

    Attributes:
        directory: Where the file and the store are.
        shape: The flow's graph.
        executor: Where its tasks run.
        storage: Where metadata and blobs are.
    """

    directory: Path
    shape: Shape
    executor: str = "local"
    storage: Storage = field(default_factory=Storage)
    model: Model = field(init=False)

    def __post_init__(self) -> None:
        self.model = model_of(self.shape)
        self.directory.mkdir(parents=True, exist_ok=True)

    @property
    def file(self) -> Path:
        return self.directory / f"{self.shape.name}_flow.py"

    def write(self, source: str) -> "Lab":
        self.file.write_text(source, encoding="utf-8")
        return self

    @property
    def environment(self) -> Mapping[str, str]:
        kept = {name: value for name, value in os.environ.items() if "FLOWKIT" not in name}
        own = {"FLOWKIT_HOME": str(self.directory), "FLOWKIT_USER": "tester"}
        return {**kept, **own, **self.storage.variables}

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, str(self.file), "--executor", self.executor, *arguments]

    def call(self, *arguments: str, code: int = 0) -> Called:
        """Run a command of the flow file; it must end with this exit code."""
        done = subprocess.run(
            self.command(*arguments),
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            encoding="utf-8",
            check=False,
            timeout=LONGEST,
        )
        called = Called(done.returncode, done.stdout, done.stderr)
        assert called.code == code, f"{' '.join(arguments)}: {called}"
        return called

    def run(self, *arguments: str, code: int = 0) -> "Outcome":
        """Run the flow and return the run with what was printed."""
        return Outcome(self, self.call("run", *arguments, code=code), self.latest())

    def resume(self, *arguments: str, code: int = 0) -> "Outcome":
        return Outcome(self, self.call("resume", *arguments, code=code), self.latest())

    def flow(self) -> Flow:
        """Return the flow as the client sees it."""
        metadata(self.storage.location(str(self.directory)))
        namespace("user:tester")
        return Flow(self.shape.flow)

    def latest(self) -> Run:
        run = self.flow().latest_run
        assert run is not None
        return run

    @contextmanager
    def importable(self) -> Iterator[None]:
        """While this holds, classes of the flow file can be imported."""
        sys.path.insert(0, str(self.directory))
        try:
            yield
        finally:
            sys.path.remove(str(self.directory))
            sys.modules.pop(self.file.stem, None)

    def lose_result(self, task: Task) -> None:
        """Delete the list of a task's artifacts from the store."""
        digest = task._task().last.manifest
        assert digest is not None
        self.storage.lose(digest)
        (blob,) = self.directory.rglob(f"objects/*/{digest}")  # the only one, or a cache's
        blob.unlink()

    def executed(self, run: Run) -> Counter[Key]:
        """Return how often each task of a run has been begun."""
        events = self.directory / "events"
        lines = events.read_text(encoding="utf-8").splitlines() if events.exists() else []
        entries = [json.loads(line) for line in lines]
        return Counter((s, tuple(indices), n) for id_, s, indices, n in entries if id_ == run.id)


@dataclass
class Outcome:
    """A run, with what its command printed."""

    lab: Lab
    called: Called
    run: Run

    @property
    def model(self) -> Model:
        return self.lab.model

    @property
    def shape(self) -> Shape:
        return self.lab.shape

    @cached_property
    def tasks(self) -> dict[Key, Task]:
        """The tasks of the run, in the order of their ids."""
        ordered = sorted((task for step in self.run for task in step), key=lambda t: int(t.id))
        found: dict[Key, Task] = {}
        for task in ordered:
            step = task.parent.id
            indices = tuple(frame.index for frame in task["_foreach_stack"].data)
            number = sum(1 for key in found if key[:2] == (step, indices))
            found[step, indices, number] = task
        return found

    @cached_property
    def executed(self) -> Counter[Key]:
        """How often each task has been begun."""
        return self.lab.executed(self.run)

    def succeeded(self) -> set[Key]:
        return {key for key, task in self.tasks.items() if task.status.is_success}
