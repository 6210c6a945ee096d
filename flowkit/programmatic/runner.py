"""``Runner``: a flow file, run from Python in a process of its own."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from flowkit.config import child_environment
from flowkit.exceptions import RunFailed, UsageError
from flowkit.programmatic.arguments import TOP_LEVEL, CommandLine
from flowkit.programmatic.executing import ExecutingRun, ExecutingTask
from flowkit.programmatic.process import AttributePipe, FlowProcess, private_directory

_CONFIGS = ("config", "config_value")


class Runner:
    """Runs a flow file in processes of its own, as from the command line.

    Arguments of commands are those of the command line under their Python names: parameters of
    the flow, ``tags``, ``max_workers``, ``decospecs`` (``--with``), ... They are checked before
    anything is started. Use it as a context manager, also in ``async with``: leaving it ends what
    still runs and deletes the log files.

    Args:
        flow_file: Path of the flow file.
        show_output: Whether what the flow prints is shown here as well.
        profile: Name of the profile of settings, as ``FLOWKIT_PROFILE``.
        env: Environment variables to add.
        cwd: Working directory of the processes; the current one when None.
        file_read_timeout: Seconds until the process must have said which run it has started.
        top_level: Options that stand before the command, such as ``executor="spawn"``,
            ``config=[("cfg", "file.json")]`` or ``config_value=[("cfg", {"depth": 3})]``.

    Raises:
        UsageError: There is no such file.

    Example::

        with Runner("train.py", show_output=False) as runner:
            result = runner.run(alpha=0.5, tags=["nightly"])
            print(result.status, result.run.data.accuracy)
    """

    def __init__(
        self,
        flow_file: str | os.PathLike[str],
        show_output: bool = True,
        profile: str | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        file_read_timeout: float = 3600,
        **top_level: Any,
    ) -> None:
        self.flow_file = os.path.abspath(flow_file)
        if not os.path.isfile(self.flow_file):
            raise UsageError(f"flow file {os.fspath(flow_file)} does not exist")
        self._show_output = show_output
        self._env = child_environment(env or {}, profile)
        self._cwd = None if cwd is None else os.fspath(cwd)
        self._patience = file_read_timeout
        self._top_level = top_level
        self._command_line: CommandLine | None = None
        self._started: list[tuple[FlowProcess, Path]] = []

    # --- commands ---------------------------------------------------------------------------------

    def run(self, **arguments: Any) -> ExecutingRun:
        """Run the flow to its end; a failed run does not raise, see its ``status``.

        Raises:
            ValueError: There is no such argument.
            TypeError: An argument is of the wrong type.
            RunFailed: The process ended before there was a run; the message has its stderr.
        """
        return ExecutingRun(*self._see_through("run", arguments))

    def resume(self, **arguments: Any) -> ExecutingRun:
        """Resume a run to its end: ``origin_run_id``, ``step_to_rerun``, ...; raises as `run`."""
        return ExecutingRun(*self._see_through("resume", arguments))

    def spin(self, pathspec: str, **arguments: Any) -> ExecutingTask:
        """Run one step on the inputs of an earlier task; raises as `run`."""
        return ExecutingTask(*self._see_through("spin", {"path": pathspec, **arguments}))

    async def async_run(self, **arguments: Any) -> ExecutingRun:
        """Start a run and return as soon as its id is known; raises as `run`."""
        return ExecutingRun(*await self._start_async("run", arguments))

    async def async_resume(self, **arguments: Any) -> ExecutingRun:
        """Start to resume a run and return as soon as its id is known; raises as `run`."""
        return ExecutingRun(*await self._start_async("resume", arguments))

    async def async_spin(self, pathspec: str, **arguments: Any) -> ExecutingTask:
        """Start to run one step on the inputs of an earlier task; raises as `run`."""
        return ExecutingTask(*await self._start_async("spin", {"path": pathspec, **arguments}))

    def cleanup(self) -> None:
        """End what still runs, and delete the log files. May be repeated."""
        while self._started:
            process, directory = self._started.pop()
            process.stop()
            shutil.rmtree(directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cleanup()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.cleanup)

    # --- processes --------------------------------------------------------------------------------

    def _see_through(
        self, command: str, arguments: Mapping[str, Any]
    ) -> tuple[FlowProcess, Mapping[str, Any]]:
        process, pipe = self._launch(*self._command(command, arguments))
        try:
            attributes = self._attributes(process, pipe)
            process.wait()
        except BaseException:  # Ctrl-C above all: nobody would hold the process any more
            process.stop()
            raise
        return process, attributes

    async def _start_async(
        self, command: str, arguments: Mapping[str, Any]
    ) -> tuple[FlowProcess, Mapping[str, Any]]:
        words, given = await asyncio.to_thread(self._command, command, arguments)
        process, pipe = self._launch(words, given)
        return process, await asyncio.to_thread(self._attributes, process, pipe)

    def _command(self, command: str, arguments: Mapping[str, Any]) -> tuple[list[str], list[str]]:
        """Return the command line up to the command, and what follows it."""
        if self._command_line is None:
            self._command_line = self._described()
        top = self._command_line.arguments(TOP_LEVEL, self._top_level)
        words = [sys.executable, self.flow_file, *top, command]
        return words, self._command_line.arguments(command, arguments)

    def _described(self) -> CommandLine:
        """Ask the flow file for its options, which may depend on its configs."""
        texts = [
            text
            for name in _CONFIGS
            for entry in self._top_level.get(name) or ()
            for text in (f"--{name.replace('_', '-')}", *map(_text, entry))
        ]
        outcome = subprocess.run(  # noqa: S603 - the user's own flow file
            [sys.executable, self.flow_file, *texts, "options"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=self._env,
            cwd=self._cwd,
            text=True,
            check=False,
        )
        if outcome.returncode:
            raise UsageError(f"flow file {self.flow_file} can't be used:\n{outcome.stderr}")
        try:
            return CommandLine(json.loads(outcome.stdout.splitlines()[-1]))
        except (IndexError, ValueError):
            raise UsageError(f"flow file {self.flow_file} has no flow that it starts") from None

    def _launch(self, words: list[str], given: list[str]) -> tuple[FlowProcess, AttributePipe]:
        directory = private_directory()
        pipe = AttributePipe(str(directory))
        process = FlowProcess(
            [*words, "--runner-attribute-file", pipe.path, *given],
            str(directory),
            env=self._env,
            cwd=self._cwd,
            show_output=self._show_output,
        )
        self._started.append((process, directory))
        return process, pipe

    def _attributes(self, process: FlowProcess, pipe: AttributePipe) -> Mapping[str, Any]:
        """Wait until the process says what it has started."""
        try:
            message = pipe.read(process, self._patience)
        finally:
            pipe.close()
        if message:
            attributes: Mapping[str, Any] = json.loads(message)
            return attributes
        is_late = process.is_running()
        process.stop()
        name = os.path.basename(self.flow_file)
        if is_late:
            raise RunFailed(f"{name} has started no run within {self._patience:g} s; it was ended")
        stderr = process.read("stderr").decode("utf-8", "replace")
        code = process.process.returncode
        raise RunFailed(f"{name} ended with exit code {code} before its run began:\n{stderr}")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
