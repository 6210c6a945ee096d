"""A run or a task that a `Runner` has started, while it goes on and afterwards."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self

from flowkit.client.clientobject import Found, Scope
from flowkit.client.namespaces import get_namespace
from flowkit.client.objects import Run, Task
from flowkit.client.session import session_at
from flowkit.exceptions import NotFoundError, UsageError
from flowkit.programmatic.process import STREAMS, FlowProcess

_TICK = 0.5
"""Seconds that a thread waits at most, so that one whose caller has gone ends soon."""


class Executing:
    """What a `Runner` has started.

    Args:
        process: The process of the flow file.
        attributes: What the process has said about itself.

    Attributes:
        command_obj: The process: ``.command``, ``.log_files``, ``.process``.
    """

    def __init__(self, process: FlowProcess, attributes: Mapping[str, Any]) -> None:
        self.command_obj = process
        self._attributes = attributes
        self._is_timed_out = False

    @property
    def status(self) -> str:
        """The state: "running", "successful", "failed" or, after `wait` gave up, "timeout"."""
        if self._is_timed_out:
            return "timeout"
        if self.returncode is None:
            return "running"
        return "failed" if self.returncode else "successful"

    @property
    def returncode(self) -> int | None:
        """Exit code of the process, negative for a signal; None while it runs."""
        return self.command_obj.process.poll()

    @property
    def stdout(self) -> str:
        """What was written to standard output until now."""
        return self.command_obj.read("stdout").decode("utf-8", "replace")

    @property
    def stderr(self) -> str:
        """What was written to standard error until now."""
        return self.command_obj.read("stderr").decode("utf-8", "replace")

    async def wait(
        self,
        timeout: float | None = None,  # noqa: ASYNC109 - the signature that Metaflow users know
        stream: str | None = None,
    ) -> Self:
        """Wait for the end and return this object.

        Args:
            timeout: Seconds after which the process is ended; None waits without limit.
            stream: "stdout" or "stderr" to write its lines to ``sys.stdout`` meanwhile.
        """
        try:
            async with asyncio.timeout(timeout):
                if stream is not None:
                    async for _, line in self.stream_log(stream):
                        sys.stdout.write(f"{line}\n")
                while not await asyncio.to_thread(self.command_obj.wait, _TICK):
                    pass
        except TimeoutError:
            self._is_timed_out = True
            await asyncio.to_thread(self.command_obj.stop)
        return self

    async def stream_log(
        self, stream: str, position: int | None = None
    ) -> AsyncIterator[tuple[int, str]]:
        """Yield each line of a stream as it comes, until the end of the process.

        Args:
            stream: "stdout" or "stderr".
            position: Where to begin, as an earlier line gave it; at the first line when None.

        Yields:
            The position after the line, and the line without its end.

        Raises:
            UsageError: There is no such stream.
        """
        if stream not in STREAMS:
            raise UsageError(f"stream must be 'stdout' or 'stderr', not {stream!r}")
        process, at = self.command_obj, position or 0
        while True:
            is_complete = process.is_complete(stream)  # asked first: the rest is still read
            *lines, rest = process.read(stream, at).split(b"\n")
            for line in lines:
                at += len(line) + 1
                yield at, line.decode("utf-8", "replace")
            if is_complete:
                if rest:
                    yield at + len(rest), rest.decode("utf-8", "replace")
                return
            await asyncio.to_thread(process.wait_for_output, stream, at + len(rest), _TICK)

    def _found(self) -> Found:
        location = str(self._attributes["metadata"])
        return Found(Scope(session_at(location).location, get_namespace(), is_checked=False))


class ExecutingRun(Executing):
    """A run that a `Runner` has started; the run itself is ``.run``."""

    @property
    def run(self) -> Run:
        """The run, as the client reads it."""
        flow, run_id = self._attributes["flow_name"], self._attributes["run_id"]
        return Run(f"{flow}/{run_id}", _found=self._found())


class ExecutingTask(Executing):
    """A task that `Runner.spin` has started; the task itself is ``.task`` if it is kept."""

    @property
    def task(self) -> Task:
        """The task, as the client reads it.

        Raises:
            NotFoundError: It was not to be kept.
        """
        attributes = self._attributes
        names = ("flow_name", "run_id", "step_name", "task_id")
        pathspec = "/".join(str(attributes[name]) for name in names)
        if not attributes["metadata"]:
            raise NotFoundError(f"task '{pathspec}' was not kept: spin it with persist=True")
        return Task(pathspec, _found=self._found())
