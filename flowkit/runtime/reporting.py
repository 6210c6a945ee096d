"""What happens in a run, told: lines to the run's log and events to the listeners."""

import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from flowkit.content.loglines import StreamCapture
from flowkit.content.runlog import MAGIC, LogStream, RunLogWriter
from flowkit.exceptions import StorageError
from flowkit.model.events import Notice, RunEvent, TaskLines, TaskOutput
from flowkit.model.tasks import TaskSpec
from flowkit.ports.listener import Listener

_STREAMS = {"stdout": LogStream.STDOUT, "stderr": LogStream.STDERR}


class Reporter:
    """Appends the output of tasks to the run's log and passes events on to listeners.

    Args:
        log: The run's log file.
        listeners: Told of every event; one that raises is reported once and dropped.
        max_log_size: Megabytes kept of each stream of an attempt.
        share: Takes the log, when it is closed, to where others can read it; None is nowhere.
    """

    def __init__(
        self,
        log: RunLogWriter,
        listeners: Sequence[Listener],
        max_log_size: float = 10,
        share: Callable[[], None] | None = None,
    ) -> None:
        self._log = log
        self._share = share
        self._listeners = list(listeners)
        self._max_bytes = int(max_log_size * 1_000_000)
        self._captures: dict[tuple[int, str], StreamCapture] = {}
        self._starts: dict[int, int] = {}
        self._has_lost_log = False

    def tell(self, event: RunEvent) -> None:
        """Pass an event on to every listener."""
        for listener in list(self._listeners):
            # One of the three places that catch everything: a listener can't change the run.
            try:
                listener(event)
            except Exception:  # noqa: BLE001
                self._listeners.remove(listener)
                with suppress(OSError):  # nobody reads stderr any more
                    sys.stderr.write(
                        f"a listener failed and is not called any more: {listener!r}\n"
                    )
                    traceback.print_exc()

    def started(self, spec: TaskSpec) -> None:
        """Take note of where the log of an attempt begins."""
        self._starts[spec.task_id] = self._log.position

    def output(self, event: TaskOutput) -> None:
        """Log what a task wrote, and tell its whole lines."""
        key = (event.spec.task_id, event.stream)
        if key not in self._captures:
            self._captures[key] = StreamCapture(self._max_bytes)
        self._keep(event.spec, event.stream, *self._captures[key].feed(event.data))

    def ended(self, spec: TaskSpec, note: str = "") -> tuple[int, int]:
        """Finish the log of an attempt and return where it begins and ends in the file.

        Args:
            spec: The attempt.
            note: What there is to say about its end.
        """
        for stream in _STREAMS:
            capture = self._captures.pop((spec.task_id, stream), None)
            if capture is not None:
                self._keep(spec, stream, *capture.close())
        if note:
            self._append(spec, LogStream.NOTES, f"{note}\n".encode())
            self.tell(Notice(note, spec))
        start = self._starts.pop(spec.task_id, self._log.position)
        return start, self._log.position

    def flush(self) -> None:
        """Make what was logged readable for others."""
        with self._never_failing():
            self._log.flush()

    def close(self) -> None:
        """Flush and close the log, and share it if there is anything in it. May be repeated."""
        with self._never_failing():
            self._log.close()
        share, self._share = self._share, None
        if share is None or self._log.position == len(MAGIC):
            return
        try:
            share()
        except StorageError as error:
            self.tell(Notice(f"the run's log stays on this machine: {error}"))

    def _append(self, spec: TaskSpec, stream: LogStream, data: bytes) -> None:
        with self._never_failing():
            self._log.append(spec.task_id, spec.attempt, stream, data, time.time_ns() // 1000)

    @contextmanager
    def _never_failing(self) -> Iterator[None]:
        """Go on without a log that can't be written: results matter more; say so once."""
        try:
            yield
        except StorageError as error:
            if not self._has_lost_log:
                self._has_lost_log = True
                self.tell(Notice(f"the run goes on, but its log is incomplete: {error}"))

    def _keep(self, spec: TaskSpec, stream: str, lines: Sequence[str], kept: bytes) -> None:
        if kept:
            self._append(spec, _STREAMS[stream], kept)
        if lines:
            self.tell(TaskLines(spec, stream, lines))
