"""Copying runs from one place to another: a store or an archive on either side."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from flowkit.content.manifests import stored_ref
from flowkit.content.store import ArtifactStore
from flowkit.exceptions import DataMissingError, FlowkitError, IntegrityError, NotFoundError
from flowkit.model.transfer import Place, Presence, RunName, RunRows
from flowkit.ports.blobs import BlobStore, SupportsMany
from flowkit.upkeep.rowcheck import check_rows

BATCH_BYTES = 32 * 1024 * 1024
"""Bytes of blobs that are read together, about."""
BATCH_BLOBS = 128


@dataclass(frozen=True, slots=True)
class Log:
    """The log of one run.

    Attributes:
        size: Its bytes.
        pieces: Gives them anew, piece by piece.
    """

    size: int
    pieces: Callable[[], Iterator[bytes]]


class Origin(Protocol):
    """Where runs are read."""

    artifacts: ArtifactStore
    blobs: BlobStore

    def rows(self, name: RunName) -> RunRows:
        """Return what is known of a run.

        Raises:
            NotFoundError: There is no such run.
            ConflictError: It is running.
        """

    def log(self, name: RunName) -> Log | None:
        """Return the run's log; None where there is none."""


class Target(Protocol):
    """Where runs are written, one after the other; each appears there whole or not at all."""

    def find(self, names: Sequence[RunName]) -> Sequence[Place]:
        """Return for each run what is known of it there."""

    def begin(self, rows: RunRows, needed: set[str], log: Log | None) -> set[str] | None:
        """Begin with a run and return the blobs that it needs and that are not there yet.

        Returns:
            None when the run is there already.
        """

    def put(self, blobs: Mapping[str, memoryview]) -> None:
        """Store blobs under their digests.

        Raises:
            IntegrityError: One of them has another digest.
        """

    def land(self) -> tuple[str, set[str]]:
        """Let the run appear and return its pathspec there.

        Returns:
            The pathspec, and blobs that have gone missing meanwhile: when there are any, the run
            has not appeared, and they are to be put again.
        """

    def give_up(self) -> None:
        """Leave nothing of the run. May be repeated, also after `land`."""


@dataclass(frozen=True, slots=True)
class Step:
    """How far the copying of one run has come.

    Attributes:
        name: The run.
        blobs: How many blobs of those that are copied are done.
        of: How many there are.
        bytes: What the blobs that are done have, decoded.
    """

    name: RunName
    blobs: int
    of: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of one run.

    Attributes:
        name: The run.
        pathspec: What it is called where it was copied to.
        blobs: How many blobs were copied.
        bytes: What they have, decoded.
        shared: How many blobs it needs that were there already.
        is_new: Whether the run was not there before.
        has_log: Whether its log was there to be copied.
    """

    name: RunName
    pathspec: str
    blobs: int = 0
    bytes: int = 0
    shared: int = 0
    is_new: bool = True
    has_log: bool = True


def copy_run(origin: Origin, target: Target, name: RunName, tell: Callable[[Step], None]) -> Copied:
    """Copy a run with all that it needs: blobs first, then its rows, all at once.

    May be killed at any moment: done again, it goes on.

    Args:
        origin: Where it is.
        target: Where to.
        name: Which run.
        tell: Is told how far it has come, after each batch of blobs.

    Raises:
        NotFoundError: There is no such run.
        ConflictError: It is running, or something else stands in its place.
        IntegrityError: Something that it needs is damaged or missing.
    """
    rows = origin.rows(name)
    try:
        check_rows(rows)
        needed = needed_by(rows, origin.artifacts)
        log = origin.log(rows.name)  # by the token that was checked
    except (IntegrityError, DataMissingError) as error:
        raise _unreadable(name, error) from error
    missing = target.begin(rows, needed, log)
    if missing is None:
        (place,) = target.find([name])
        return Copied(name, place.pathspec, shared=len(needed), is_new=False)
    shared = len(needed) - len(missing)
    done = Step(name, 0, len(missing), 0)
    try:
        while True:
            done = _copy_blobs(origin, target, missing, done, tell)
            pathspec, missing = target.land()
            if not missing:
                break
            done = Step(name, done.blobs, done.blobs + len(missing), done.bytes)
    except (IntegrityError, DataMissingError) as error:
        target.give_up()
        raise _unreadable(name, error) from error
    except BaseException:
        target.give_up()
        raise
    return Copied(name, pathspec, done.blobs, done.bytes, shared, has_log=log is not None)


@dataclass(frozen=True, slots=True)
class Left:
    """A run that could not be copied, as something that it needs is damaged or missing."""

    name: RunName
    error: FlowkitError


def copy_runs(
    origin: Origin, target: Target, names: Sequence[RunName], tell: Callable[[Step], None]
) -> Iterator[Copied | Left]:
    """Copy runs one after the other and yield what became of each.

    A run that is damaged does not keep the others from being copied.

    Args:
        origin: Where they are.
        target: Where to.
        names: Which ones, in this order.
        tell: As for `copy_run`.

    Raises:
        ConflictError: One of them is running, or something else stands in its place.
    """
    for name, place in zip(names, target.find(names), strict=True):
        if place.presence is Presence.WHOLE:
            yield Copied(name, place.pathspec, is_new=False)
            continue
        try:
            yield copy_run(origin, target, name, tell)
        except (IntegrityError, NotFoundError) as error:
            yield Left(name, error)


def needed_by(rows: RunRows, store: ArtifactStore) -> set[str]:
    """Return the digests of all blobs that a run and its versions need.

    Raises:
        BlobMissing: A blob that tells what else is needed is not there.
        IntegrityError: One is damaged.
    """
    known: dict[tuple[str, str | None], set[str]] = {}
    found = (*(store.blobs_of(digest, known) for digest in rows.manifests),)
    kept = (row for row in rows.tables["version"] if row["deleted_at"] is None)
    return set().union(*found, *(store.blobs_of_value(stored_ref(row)) for row in kept))


def _copy_blobs(
    origin: Origin,
    target: Target,
    missing: set[str],
    done: Step,
    tell: Callable[[Step], None],
) -> Step:
    waiting = sorted(missing)
    while waiting:
        # As many as fit by what those before had: digests come in no order of size.
        average = max(done.bytes // max(done.blobs, 1), BATCH_BYTES // BATCH_BLOBS)
        count = max(BATCH_BYTES // average, 1) if done.blobs else 1
        batch, waiting = waiting[:count], waiting[count:]
        blobs = _get_all(origin.blobs, batch)
        target.put(blobs)
        size = done.bytes + sum(map(len, blobs.values()))
        done = Step(done.name, done.blobs + len(batch), done.of, size)
        tell(done)
    return done


def _get_all(blobs: BlobStore, digests: Sequence[str]) -> Mapping[str, memoryview]:
    if isinstance(blobs, SupportsMany) and len(digests) > 1:
        return blobs.get_many(digests)
    return {digest: blobs.get(digest) for digest in digests}


def _unreadable(name: RunName, error: FlowkitError) -> IntegrityError:
    return IntegrityError(f"run '{name.pathspec}' can't be copied: {error}")
