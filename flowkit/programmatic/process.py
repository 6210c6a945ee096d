"""A flow file that runs in a process of its own, and what it writes."""

import os
import selectors
import signal
import subprocess
import sys
import time
from codecs import getincrementaldecoder
from collections.abc import Mapping, Sequence
from pathlib import Path
from threading import Condition, Event, Thread
from typing import IO, TextIO

from flowkit.access import open_private
from flowkit.exceptions import NotFoundError

STREAMS = ("stdout", "stderr")
GRACE = 20.0
"""Seconds from SIGTERM, after which a flow's process stops its tasks, to SIGKILL."""
_TICK = 0.05
_CHUNK = 1 << 16


class FlowProcess:
    """A command in a session of its own; its output goes to files, and on to this process.

    Args:
        command: Program and arguments.
        directory: Where the log files are made.
        env: The environment.
        cwd: The working directory; that of this process when None.
        show_output: Whether the output is also written to ``sys.stdout`` and ``sys.stderr``.
    """

    def __init__(
        self,
        command: Sequence[str],
        directory: str,
        *,
        env: Mapping[str, str],
        cwd: str | None = None,
        show_output: bool = True,
    ) -> None:
        self.command = list(command)
        self.log_files = {stream: os.path.join(directory, stream) for stream in STREAMS}
        for path in self.log_files.values():
            Path(path).touch()
        self._sizes = dict.fromkeys(STREAMS, 0)
        self._open = set(STREAMS)
        self._changed = Condition()
        self.process = subprocess.Popen(  # noqa: S603 - the user's own flow file
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
        shown = {"stdout": sys.stdout, "stderr": sys.stderr} if show_output else {}
        for stream in STREAMS:
            source = getattr(self.process, stream)
            arguments = (stream, source, shown.get(stream))
            Thread(target=self._keep, args=arguments, daemon=True).start()

    def is_running(self) -> bool:
        """Whether the process has not ended yet."""
        return self.process.poll() is None

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end of the process and of its output; False when the time is up first."""
        with self._changed:
            is_over = self._changed.wait_for(lambda: not self._open, timeout)
        if not is_over:
            return False
        self.process.wait()
        return True

    def stop(self) -> None:
        """End the process and all in its group; a run is cancelled in good order."""
        for number, patience in ((signal.SIGTERM, GRACE), (signal.SIGKILL, None)):
            if self.process.poll() is not None:
                break
            os.killpg(self.process.pid, number)
            try:
                self.process.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        self.wait(GRACE)

    # --- output -----------------------------------------------------------------------------------

    def read(self, stream: str, position: int = 0) -> bytes:
        """Return what was written to a stream until now, from a byte position on.

        Raises:
            NotFoundError: The log files were deleted.
        """
        try:
            with open(self.log_files[stream], "rb") as file:
                file.seek(position)
                return file.read()
        except FileNotFoundError:
            raise NotFoundError(
                f"the {stream} of this run was deleted when its Runner was left: read it before, "
                "or ask the tasks of the run"
            ) from None

    def is_complete(self, stream: str) -> bool:
        """Whether nothing more will be written to a stream."""
        with self._changed:
            return stream not in self._open

    def wait_for_output(self, stream: str, position: int, timeout: float) -> None:
        """Wait until a stream goes beyond a position, or is complete, or the time is up."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._sizes[stream] > position or stream not in self._open, timeout
            )

    def _keep(self, stream: str, source: IO[bytes], shown: TextIO | None) -> None:
        """Copy a stream of the process until its end; runs in a thread."""
        decode = getincrementaldecoder("utf-8")("replace").decode
        try:
            with source, open(self.log_files[stream], "wb", 0, opener=open_private) as file:
                while chunk := os.read(source.fileno(), _CHUNK):
                    file.write(chunk)
                    with self._changed:
                        self._sizes[stream] += len(chunk)
                        self._changed.notify_all()
                    shown = _show(shown, decode(chunk))
        finally:
            with self._changed:
                self._open.discard(stream)
                self._changed.notify_all()


def _show(out: TextIO | None, text: str) -> TextIO | None:
    """Write to a stream and return it; None once it can't be written any more."""
    if out is None:
        return None
    try:
        out.write(text)
        out.flush()
    except (OSError, ValueError):
        return None
    return out


class AttributePipe:
    """A named pipe through which a flow's process says what it has started.

    Args:
        directory: A private directory.
    """

    def __init__(self, directory: str) -> None:
        self.path = os.path.join(directory, "attributes")
        os.mkfifo(self.path, 0o600)
        self._file = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        self._selector = selectors.DefaultSelector()  # select() can't take descriptors over 1023
        self._selector.register(self._file, selectors.EVENT_READ)

    def read(self, process: FlowProcess, timeout: float) -> bytes:
        """Wait for the message and return it; b"" when the process ends, or the time is up."""
        deadline = time.monotonic() + timeout
        message = b""
        while time.monotonic() < deadline:
            is_running = process.is_running()  # asked first: what it wrote before is still read
            self._selector.select(_TICK)
            try:
                chunk = os.read(self._file, _CHUNK)
            except BlockingIOError:  # somebody has it open, and has written nothing yet
                continue
            message += chunk
            if not chunk and (message or not is_running):
                break
            if not chunk:
                Event().wait(_TICK)  # nobody has opened it yet
        return message

    def close(self) -> None:
        """Close this end. May be repeated."""
        if self._file >= 0:
            self._selector.close()
            os.close(self._file)
            self._file = -1


def private_directory(parent: str | None = None) -> Path:
    """Make a directory that only this user can look into."""
    from tempfile import mkdtemp  # noqa: PLC0415 - only what starts processes needs it

    return Path(mkdtemp(prefix="flowkit-", dir=parent))
