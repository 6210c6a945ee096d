"""Traces of results that may be reused: found by what they read, kept with the metadata."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from flowkit.model.records import RunLease
from flowkit.model.traces import Trace


class TraceReader(Protocol):
    """Finds traces; a missing store reads as an empty one."""

    def shapes(self, base: str) -> Sequence[tuple[str, ...]]:
        """Return the sets of tokens that results with this base have read, the newest first.

        Each is sorted. There are few: one for each way through the step's code.
        """

    def find(self, keys: Sequence[str]) -> Trace | None:
        """Return the newest of the traces with these keys."""

    def recent(
        self, flow: str | None = None, step: str | None = None, *, limit: int = 20
    ) -> Sequence[Trace]:
        """Return traces, the newest first.

        Args:
            flow: Only those of this flow.
            step: Only those of this step.
            limit: How many at most.
        """

    def of_task(self, pathspec: str) -> Trace | None:
        """Return the trace that a task has left."""


class TraceWriter(Protocol):
    """Forgets traces, which are written with the attempts that leave them; keeps claims."""

    def claim(self, lease: RunLease, wanted: Mapping[int, Sequence[str]]) -> Mapping[int, str]:
        """Claim the results that tasks are about to compute, each under all of its keys or none.

        A claim ends with the attempt, in the transaction that commits it, and with the run; one
        whose driver is dead is taken over. Several tasks of one run may claim the same. Of
        several runs that try at the same time, one gets it.

        Args:
            lease: The right to write to the run.
            wanted: Task id to the keys of its result.

        Returns:
            The tasks that got nothing, with the pathspec of the run that computes their result.
        """

    def delete(self, flow: str, step: str | None = None) -> int:
        """Forget the traces of a flow, or of one of its steps; return how many there were."""
