"""Who wants to know what happens in a run."""

from typing import Protocol

from flowkit.model.events import RunEvent


class Listener(Protocol):
    """Is called after the fact with each event of a run and can't change the run.

    A listener that raises is reported once and not called again; the run goes on.
    """

    def __call__(self, event: RunEvent) -> None:
        """Take note of an event."""
