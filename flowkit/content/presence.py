"""Making sure, beside a garbage collection, that the blobs one is about to refer to are there."""

from collections.abc import Callable, Collection, Iterable
from functools import partial
from threading import Event

from flowkit.content.store import ArtifactStore
from flowkit.exceptions import BlobMissing, StorageError
from flowkit.model.garbage import PHASES, is_calm
from flowkit.model.manifest import ArtifactRef
from flowkit.model.records import RunLease
from flowkit.model.tasks import TaskResult
from flowkit.model.versions import Producer, Publication, VersionRecord
from flowkit.ports.metadata import MetadataWriter
from flowkit.ports.sweeping import SweepGuard

PAUSE = 0.02
"""Seconds between two looks at blobs that are being deleted."""
_TRIES = 5  # to store what a collection deletes; it deletes nothing that is new


def settled(guard: SweepGuard, store: ArtifactStore, digests: Collection[str]) -> set[str]:
    """Wait until none of the blobs is being deleted and return those that are missing then.

    What refers to the blobs has to be committed before: only then none is deleted afterwards.
    What a dead collector has begun to delete is deleted here.
    """
    pause = Event()
    while True:
        buried = guard.buried(digests)
        if not buried.digests:
            return store.missing(digests)
        if buried.is_abandoned:
            guard.adopt(store.delete)
        else:
            pause.wait(PAUSE)


def keep_manifest(
    guard: SweepGuard, store: ArtifactStore, digest: str, save: Callable[[], str]
) -> None:
    """Store a manifest again for as long as blobs that it needs are missing.

    Args:
        guard: Knows what is being deleted.
        store: Where the blobs are.
        digest: The manifest, which something refers to already.
        save: Stores it, with all that it needs, and returns its digest.

    Raises:
        StorageError: Blobs disappear again and again.
    """
    for _ in range(_TRIES):
        try:
            needed = store.blobs_of(digest)
        except BlobMissing as error:
            needed = {digest, error.digest}
        if not settled(guard, store, needed):
            return
        if save() != digest:
            break
    raise StorageError(f"blobs of manifest {digest} were deleted while it was stored: try again")


def keep_version(
    metadata: MetadataWriter,
    store: ArtifactStore,
    user: str,
    save: Callable[[], Publication],
    producer: Producer | None = None,
) -> VersionRecord:
    """Make a version of a value that no run keeps alive while it is stored, and return it.

    Args:
        metadata: Makes the version, and knows what is being deleted.
        store: Where the value goes.
        user: Who makes the version.
        save: Stores the value and says what it becomes; called again when a part of it is lost.
        producer: The attempt that made the value, if one has.

    Raises:
        VersionExistsError: As `VersionWriter.publish` does.
        StorageError: Blobs disappear again and again.
    """
    guard = metadata.sweeping
    for _ in range(_TRIES):
        began = guard.sweeps()
        store.renew(began // PHASES)
        gone: set[str] = set()
        try:
            saved = save()
            look = partial(_look, store, saved.ref, began, gone)
            return metadata.versions.publish(saved, user, look, producer)
        except BlobMissing as error:
            settled(guard, store, {*gone, error.digest})
    raise StorageError("parts of the value were deleted while it was stored: try again")


def _look(
    store: ArtifactStore,
    ref: ArtifactRef,
    began: int,
    gone: set[str],
    sweeps: int,
    buried: Collection[str],
) -> Collection[str]:
    """Return, in ``gone`` too, the blobs of a value that were or will be deleted since then."""
    if not is_calm(began, sweeps):
        needed = store.blobs_of_value(ref)
        gone |= needed.intersection(buried) or store.missing(needed)
    return gone


class Presence:
    """Knows which results a garbage collection may have touched, and looks at those only.

    Args:
        lease: The run.
        guard: Pins blobs.
        store: Where they are.
        kept: Pathspec of a run that nobody deletes while this one goes on: the one it resumes.
    """

    def __init__(
        self, lease: RunLease, guard: SweepGuard, store: ArtifactStore, kept: str = ""
    ) -> None:
        self._lease = lease
        self._guard = guard
        self._store = store
        self._kept = kept
        self._seen = lease.sweeps
        self._began: dict[int, int] = {}
        store.renew(lease.sweeps // PHASES)

    def saw(self, sweeps: int | None) -> None:
        """Take note of the store's counter, as a write of this driver has acknowledged it."""
        if sweeps is None:
            return
        if sweeps // PHASES != self._seen // PHASES:
            self._store.renew(sweeps // PHASES)
        self._seen = sweeps

    def began(self, task_id: int) -> None:
        """Take note that an attempt of a task begins."""
        self._began[task_id] = self._seen

    def lost(self, task_id: int, manifest: str, published: Iterable[ArtifactRef] = ()) -> set[str]:
        """Return the blobs of a result that were deleted before it could be committed.

        A blob that was there already is not written again by an attempt; until the result is
        committed, nothing else may have referred to it. From now on the run's pins do, except
        where nothing was deleted since the attempt began.

        Args:
            task_id: The task whose attempt has ended.
            manifest: Digest of its manifest.
            published: Values that become versions with it; not all of them are in the manifest.
        """
        if is_calm(self._began.pop(task_id, -1), self._seen):
            return set()
        return self._missing(manifest, published)

    def lost_found(self, result: TaskResult) -> set[str]:
        """Return the blobs of an earlier task's result that are gone, or about to go.

        The run that it comes from may be deleted by now.
        """
        if result.manifest is None:
            return set()
        is_kept = bool(self._kept) and (result.origin or "").startswith(f"{self._kept}/")
        if is_kept and is_calm(self._seen, self._seen):
            return set()
        return self._missing(result.manifest)

    def _missing(self, manifest: str, published: Iterable[ArtifactRef] = ()) -> set[str]:
        """Look for all that a result needs; what is there stays there until it is committed."""
        try:
            needed = self._store.blobs_of(manifest)
            needed = needed.union(*map(self._store.blobs_of_value, published))
        except BlobMissing as error:
            return {error.digest}
        if is_calm(self._seen, self._seen):
            # Nobody deletes before the next write of this driver, which commits the manifest.
            return self._store.missing(needed)
        self._guard.pin(self._lease, needed)
        return settled(self._guard, self._store, needed)
