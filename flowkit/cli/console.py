"""The console: draws a run's events as lines, and live progress of foreaches on a terminal."""

import os
import re
import sys
import time
from contextlib import suppress
from typing import TextIO

import click

from flowkit.cli.progress import Progress, open_progress
from flowkit.enums import Cause, Status
from flowkit.launching import RESUMABLE
from flowkit.model.events import (
    Notice,
    RunEnded,
    RunEvent,
    RunStarted,
    TaskEnded,
    TaskLines,
    TaskQueued,
    TaskStarted,
)
from flowkit.model.tasks import AttemptError, TaskSpec

_CONTROL = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b\[[0-9;?]*[A-Za-ln-z]|\x1b[^\[\]]|[\x00-\x08\x0b-\x1a\x1c-\x1f\x7f]"
)
"""Terminal control sequences but colours (SGR): output of tasks must not steer the terminal."""


class Console:
    """A listener that prints: run lines on stdout, the error block on stderr.

    Args:
        out: Where run lines go; stdout when omitted.
    """

    def __init__(self, out: TextIO | None = None) -> None:
        self._out = out or sys.stdout
        self._is_terminal = self._out.isatty()
        self._progress: Progress = open_progress(self._out)
        self._pids: dict[int, int | None] = {}
        self._is_resumed = False
        self._second = 0
        self._stamp = ""

    def __call__(self, event: RunEvent) -> None:
        """Print what there is to say about an event; a stream that is lost does not end the run."""
        try:
            self._draw(event)
        except OSError as error:
            with suppress(OSError):  # stderr may be lost as well
                self._go_on_without(error)
                self._draw(event)

    def _go_on_without(self, error: OSError) -> None:
        """Drop the run lines from now on: their reader has gone, or their disk is full."""
        self._out = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - for the rest of the run
        self._progress = open_progress(self._out)
        self._is_terminal = False
        text = f"stdout can't be written any more ({error.strerror}); the run goes on, see its logs"
        click.echo(text, err=True)

    def _draw(self, event: RunEvent) -> None:
        match event:
            case RunStarted(origin_run_id=origin):
                self._is_resumed = origin is not None
                resumed = f", resuming run {origin}" if origin else ""
                self._line(f"Workflow starting (run-id {event.run_id}{resumed}):", bold=True)
            case TaskQueued(spec=spec, of=of):
                self._progress.queued(spec, of)
            case TaskStarted(spec=spec):
                self._started(spec, event.pid)
            case TaskLines(spec=spec):
                for line in event.lines:
                    self._task(spec, line)
            case Notice(spec=None):
                self._line(event.message)
            case Notice(spec=spec) if spec is not None:
                self._task(spec, event.message, fg="yellow")
            case TaskEnded():
                self._ended(event)
            case RunEnded():
                self._progress.close()
                self._run_ended(event)
        self._out.flush()

    def _started(self, spec: TaskSpec, pid: int | None) -> None:
        self._pids[spec.task_id] = pid
        again = " (retry)" if spec.attempt and spec.fallback is None else ""
        what = "Task is starting"
        if spec.fallback is not None:
            what = "Task fallback is starting to handle the failure"
        if not self._progress.shows(spec) or spec.attempt:
            self._task(spec, f"{what}{again}.", dim=True)

    def _ended(self, event: TaskEnded) -> None:
        result, spec = event.result, event.result.spec
        taken = result.next
        if taken is not None and taken.items is not None and result.status.is_success:
            self._task(spec, f"Foreach yields {len(taken.items)} child steps.", dim=True)
        if result.status is Status.CACHED:
            self._task(spec, f"Task reused from {result.origin}.", dim=True)
        elif result.status.is_success and not self._progress.shows(spec):
            self._task(spec, "Task finished successfully.", fg="green")
        elif not result.status.is_success:
            self._failed(event)
        self._progress.ended(event)
        self._pids.pop(spec.task_id, None)

    def _failed(self, event: TaskEnded) -> None:
        error, spec = event.result.error, event.result.spec
        if error is not None and error.cause is Cause.CANCELLED:
            self._task(spec, "Task was stopped.", fg="yellow")
            return
        self._task(spec, "Task failed.", fg="red")
        if not event.will_retry and error is not None and not error.is_retryable:
            self._task(spec, "This failed task will not be retried.", fg="red")

    def _run_ended(self, event: RunEnded) -> None:
        if event.status is Status.SUCCEEDED:
            if event.reused and self._is_resumed:
                self._line(f"{event.reused} of {event.tasks} tasks were reused.")
            self._line("Done!", bold=True, fg="green")
            if event.reused and not self._is_resumed:
                cached = f"{event.reused} of {event.tasks} tasks cached"
                self._line(f"{cached} (run --no-cache to execute them).")
            return
        if event.status is Status.CANCELLED:
            self._line("Workflow interrupted.", bold=True, fg="yellow")
            return
        self._line("Workflow failed.", bold=True, fg="red")
        self._out.flush()
        if event.failed is not None and event.error is not None:
            self._failure(event.failed, event.error)

    def _failure(self, spec: TaskSpec, error: AttemptError) -> None:
        is_of_the_store = error.cause is Cause.STORAGE
        kind = "" if is_of_the_store else error.type.removeprefix("builtins.")
        reason = f"{kind}: {error.message}" if kind else error.message
        headline = "Storage failure:" if is_of_the_store else "Step failure:"
        click.secho(f"    {headline}", fg="red", bold=True, err=True)
        click.secho(f"    Step {spec.step} (task-id {spec.task_id}) failed.", err=True)
        for line in reason.splitlines()[:20]:
            click.secho(f"    {line}", err=True)
        if is_of_the_store:
            click.secho(f"    {RESUMABLE}", err=True)

    def _task(self, spec: TaskSpec, text: str, **style: object) -> None:
        pid = self._pids.get(spec.task_id)
        suffix = "" if pid is None else f" (pid {pid})"
        prefix = f"[{spec.run_id}/{spec.step}/{spec.task_id}{suffix}]"
        if self._is_terminal:
            prefix = click.style(prefix, fg="cyan")
        self._line(f"{prefix} {self._styled(text, **style)}")

    def _line(self, text: str, **style: object) -> None:
        self._progress.write(f"{self._now()} {self._styled(text, **style)}\n")

    def _styled(self, text: str, **style: object) -> str:
        if not self._is_terminal:
            return text
        safe = _CONTROL.sub("", text)
        return click.style(safe, **style) if style else safe  # type: ignore[arg-type]

    def _now(self) -> str:
        now = time.time()
        second = int(now)
        if second != self._second:
            self._second = second
            self._stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(second))
        return f"{self._stamp}.{int((now - second) * 1000):03d}"
