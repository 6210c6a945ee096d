"""Garbage collection: which blobs nothing needs, and deleting them beside everything else."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from threading import Event
from time import monotonic

from flowkit.content.store import ArtifactStore
from flowkit.exceptions import ConflictError, StorageError, UsageError
from flowkit.model.garbage import Roots
from flowkit.ports.blobs import BlobStore, SupportsAges, SupportsLeftovers
from flowkit.ports.sweeping import Collector
from flowkit.upkeep.liveness import Reach

DAY = 24 * 3600.0
BATCH = 500
"""Blobs that are deleted together: so long somebody may have to wait who needs one of them."""
PATIENCE = 60.0
"""Seconds to wait until the drivers of all running runs know that blobs will be deleted."""
_PAUSE = 0.05


@dataclass(frozen=True, slots=True)
class Usage:
    """How much of something there is."""

    blobs: int = 0
    bytes: int = 0

    def __add__(self, size: int) -> "Usage":
        """Return the usage with one blob more."""
        return Usage(self.blobs + 1, self.bytes + size)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a collection at this moment would do.

    Attributes:
        garbage: Stored size by digest of what would be deleted.
        young: What nothing refers to, and yet is too young to be deleted.
        flows: What the runs of each flow need; what several need counts for each.
        versions: What versions of artifacts need.
        total: Everything in the store.
        leftovers: What killed writers have left.
    """

    garbage: Mapping[str, int]
    young: Usage
    flows: Mapping[str, Usage]
    versions: Usage
    total: Usage
    leftovers: Usage = field(default_factory=Usage)

    @property
    def freed(self) -> Usage:
        """What deleting the garbage frees."""
        return Usage(len(self.garbage), sum(self.garbage.values()))


@dataclass(frozen=True, slots=True)
class Stores:
    """The blobs, as such and as values."""

    blobs: BlobStore
    artifacts: ArtifactStore


def make_plan(stores: Stores, reach: Reach, roots: Roots, *, grace: float = DAY) -> Plan:
    """Return what is garbage; nothing is written.

    Args:
        stores: Where the blobs are.
        reach: Finds what is needed.
        roots: What refers to blobs.
        grace: Seconds; a blob that was written since is kept. So is one that was written since
            the oldest run began that goes on: its tasks may be about to refer to it.

    Raises:
        IntegrityError: Nobody can tell what is needed.
        UsageError: The store does not know when its blobs were written.
    """
    by_flow: dict[str, set[str]] = {}
    for run in roots.runs:
        by_flow.setdefault(run.flow, set()).update(reach.of_run(run))
    versions = set().union(*map(reach.of_version, roots.versions))
    alive = set(roots.pinned).union(versions, *by_flow.values())
    cutoff = cutoff_of(roots, grace)
    garbage: dict[str, int] = {}
    young, total = Usage(), Usage()
    sizes: dict[str, int] = {}
    for digest, size, written_at in _written(stores.blobs):
        sizes[digest] = size
        total += size
        if digest in alive:
            continue
        if written_at < cutoff:
            garbage[digest] = size
        else:
            young += size
    return Plan(
        garbage,
        young,
        {flow: _usage(needed, sizes) for flow, needed in sorted(by_flow.items())},
        _usage(versions, sizes),
        total,
        _leftovers(stores.blobs, int(roots.now - grace * 1e6)),
    )


CLOCK_SLACK = 2_000_000
"""Microseconds by which a file's time may lag behind the database's: clocks of files are coarse."""


def cutoff_of(roots: Roots, grace: float) -> int:
    """Return the time (UTC microseconds) since which blobs are kept, whoever needs them."""
    graced = int(roots.now - grace * 1e6)
    if roots.running_since is None:
        return graced
    return min(graced, roots.running_since - CLOCK_SLACK)


def collect(
    collector: Collector, stores: Stores, *, grace: float = DAY, patience: float = PATIENCE
) -> Iterator[Plan | Usage]:
    """Delete garbage; yield the plan first, then what each batch has freed.

    May be killed at any moment: the next collection, or a driver that waits for one of the blobs,
    finishes what was begun.

    Args:
        collector: The metadata's side; it has begun.
        stores: Where the blobs are.
        grace: As for `make_plan`.
        patience: Seconds to wait for the drivers of running runs.

    Raises:
        ConflictError: A driver does not answer; nothing was deleted.
        IntegrityError: Nobody can tell what is needed; nothing was deleted.
    """
    for batch in _batches(collector.abandoned()):
        _erase(collector, stores.blobs, batch)
    collector.announce()
    _await_drivers(collector.unacknowledged, patience)
    roots = collector.open()
    reach = Reach(stores.artifacts)
    plan = make_plan(stores, reach, roots, grace=grace)
    yield plan
    for batch in _batches(sorted(plan.garbage)):
        buried = collector.bury(batch, reach.of)
        _erase(collector, stores.blobs, buried)
        yield _usage(buried, plan.garbage)
    if isinstance(stores.blobs, SupportsLeftovers):
        stores.blobs.remove_leftovers(int(roots.now - grace * 1e6))
    collector.finish()


def _batches(digests: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(digests), BATCH):
        yield digests[start : start + BATCH]


def _erase(collector: Collector, blobs: BlobStore, digests: Collection[str]) -> None:
    """Delete blobs that are buried; only then may anybody store them again."""
    blobs.delete(digests)
    left = blobs.exists(digests)
    if left:
        raise StorageError(f"{len(left)} blobs are still there after deleting them: {min(left)}")
    collector.dig_up(digests)


def _await_drivers(unacknowledged: Callable[[], Sequence[str]], patience: float) -> None:
    """Wait until every driver has made a write, and has seen with it what was announced."""
    deadline = monotonic() + patience
    pause = Event()
    while waiting := unacknowledged():
        if monotonic() > deadline:
            raise ConflictError(
                f"nothing was deleted: no answer from the driver of {', '.join(waiting[:10])}; "
                "stop it, or try again"
            )
        pause.wait(_PAUSE)


def _written(blobs: BlobStore) -> Iterator[tuple[str, int, int]]:
    if not isinstance(blobs, SupportsAges):
        raise UsageError("this datastore can't tell when its blobs were written: nothing is safe")
    return blobs.written()


def _usage(digests: Collection[str], sizes: Mapping[str, int]) -> Usage:
    there = [sizes[digest] for digest in digests if digest in sizes]
    return Usage(len(there), sum(there))


def _leftovers(blobs: BlobStore, before: int) -> Usage:
    found = blobs.leftovers(before) if isinstance(blobs, SupportsLeftovers) else ()
    usage = Usage()
    for _, size in found:
        usage += size
    return usage
