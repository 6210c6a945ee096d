"""One live line per running foreach, below the run's lines; needs a terminal and rich."""

from importlib.util import find_spec
from typing import Any, Protocol, TextIO

from flowkit.model.events import TaskEnded
from flowkit.model.tasks import TaskSpec


class Progress(Protocol):
    """Where the console writes its lines, and what it tells about tasks."""

    def queued(self, spec: TaskSpec, of: int | None) -> None:
        """A task exists; ``of`` is the width of its foreach, if any."""

    def shows(self, spec: TaskSpec) -> bool:
        """Whether this task is counted in a live line, so that it needs no lines of its own."""

    def ended(self, event: TaskEnded) -> None:
        """An attempt has ended."""

    def write(self, text: str) -> None:
        """Write whole lines."""

    def close(self) -> None:
        """Remove the live lines."""


class NoProgress:
    """Plain lines: every task speaks for itself."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def queued(self, spec: TaskSpec, of: int | None) -> None:
        """Do nothing."""

    def shows(self, spec: TaskSpec) -> bool:  # noqa: ARG002
        """Return False: there are no live lines."""
        return False

    def ended(self, event: TaskEnded) -> None:
        """Do nothing."""

    def write(self, text: str) -> None:
        """Write to the stream."""
        self._out.write(text)

    def close(self) -> None:
        """Do nothing."""


class LiveProgress:
    """Live lines drawn by rich: step, bar, counts and the estimated time left.

    A step's line appears with its first task inside a foreach and goes when none is outstanding.
    """

    def __init__(self, out: TextIO) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        self._console = Console(file=out, highlight=False, soft_wrap=True)
        self._bars = RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
        )
        self._lines: dict[str, Any] = {}
        self._counts: dict[str, list[int]] = {}
        self._is_live = False

    def queued(self, spec: TaskSpec, of: int | None) -> None:
        """Count a task of a foreach."""
        if of is None:
            return
        if not self._is_live:
            self._bars.start()
            self._is_live = True
        counts = self._counts.setdefault(spec.step, [0, 0])
        counts[1] += 1
        if spec.step not in self._lines:
            self._lines[spec.step] = self._bars.add_task(spec.step, total=of)
        self._bars.update(self._lines[spec.step], total=max(of, counts[1]))

    def shows(self, spec: TaskSpec) -> bool:
        """Whether the task's step has a live line."""
        return spec.step in self._lines

    def ended(self, event: TaskEnded) -> None:
        """Advance the line of a task that has ended for good."""
        step = event.result.spec.step
        if step not in self._lines or event.will_retry:
            return
        counts = self._counts[step]
        counts[0] += 1
        self._bars.update(self._lines[step], completed=counts[0])
        if counts[0] == counts[1]:
            self._bars.remove_task(self._lines.pop(step))
            del self._counts[step]

    def write(self, text: str) -> None:
        """Write above the live lines."""
        if not self._is_live:
            self._console.file.write(text)
            return
        from rich.text import Text

        self._console.print(Text.from_ansi(text.rstrip("\n")))

    def close(self) -> None:
        """Remove the live lines."""
        if self._is_live:
            self._bars.stop()
            self._is_live = False


def open_progress(out: TextIO) -> Progress:
    """Return live progress on a terminal where rich is installed, plain lines elsewhere."""
    if out.isatty() and find_spec("rich") is not None:
        return LiveProgress(out)
    return NoProgress(out)
