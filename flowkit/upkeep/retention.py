"""Which runs are to be kept: a rule that is given with each collection, never a stored one."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from flowkit.exceptions import ConflictError, NotFoundError
from flowkit.model.records import RunRecord
from flowkit.ports.metadata import MetadataReader
from flowkit.ports.sweeping import Inventory

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Retention:
    """Which runs of each flow may go; without a number and an age, none.

    Attributes:
        keep_last: So many of the newest runs of each flow stay.
        keep_tags: Runs with any of these tags stay.
        older_than: Seconds since it was created; a younger run stays.
    """

    keep_last: int | None = None
    keep_tags: Sequence[str] = ()
    older_than: float | None = None

    def expired(self, metadata: MetadataReader, now: int) -> Iterator[RunRecord]:
        """Yield the runs that may go, newest first in each flow; a run that goes on never does.

        Args:
            metadata: Knows the runs.
            now: UTC microseconds.
        """
        if self.keep_last is None and self.older_than is None:
            return
        for flow in metadata.flows():
            for place, run in enumerate(_runs(metadata, flow.name)):
                if place >= (self.keep_last or 0) and self._may_go(run, now):
                    yield run

    def _may_go(self, run: RunRecord, now: int) -> bool:
        is_young = self.older_than is not None and now - run.created_at < self.older_than * 1e6
        is_kept = not {*run.tags, *run.system_tags}.isdisjoint(self.keep_tags)
        return run.status.is_terminal and not is_young and not is_kept


def split_by_use(
    inventory: Inventory, runs: Sequence[RunRecord]
) -> tuple[list[RunRecord], dict[str, Sequence[str]]]:
    """Return the runs that nothing refers to, and who refers to each of the others.

    A run that only runs refer to which go as well is not in use.
    """
    going = {f"run {run.flow}/{run.run_id}, which resumed it" for run in runs}
    free: list[RunRecord] = []
    used: dict[str, Sequence[str]] = {}
    for run in runs:
        try:
            users = [user for user in inventory.users_of(run.flow, run.run_id) if user not in going]
        except NotFoundError:
            continue
        except ConflictError as error:
            users = [str(error)]
        if users:
            used[f"{run.flow}/{run.run_id}"] = users
            going.discard(f"run {run.flow}/{run.run_id}, which resumed it")
        else:
            free.append(run)
    return free, used


def _runs(metadata: MetadataReader, flow: str) -> Iterator[RunRecord]:
    before: int | None = None
    while True:
        page = metadata.runs(flow, before=before, limit=_PAGE)
        yield from page
        if len(page) < _PAGE:
            return
        before = page[-1].key
