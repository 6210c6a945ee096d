"""Results that need not be computed again: from the origin run (resume), from traces (caching)."""

from typing import Protocol

from flowkit.model.tasks import TaskResult, TaskSpec


class ResultCache(Protocol):
    """Where the runner looks for an equal result before it runs a task."""

    def find(self, spec: TaskSpec) -> TaskResult | None:
        """Return a result with status CACHED that is as good as running the spec, or None."""


class NoReuse:
    """Never has a result: every task is run."""

    def find(self, spec: TaskSpec) -> TaskResult | None:  # noqa: ARG002
        """Return None."""
        return None
