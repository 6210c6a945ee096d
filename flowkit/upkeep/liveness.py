"""The one rule for what is alive in a store: the blobs that something in the metadata needs."""

from collections.abc import Iterable

from flowkit.content.store import ArtifactStore
from flowkit.exceptions import BlobMissing, DataMissingError, IntegrityError
from flowkit.model.garbage import Roots, RunRoot, VersionRoot


class Reach:
    """Finds the blobs that are needed, from manifests and records; nothing is unpickled.

    Alive is what the root manifest of a run needs that was not deleted, what the manifest of any
    of its attempts needs, what a version needs that was not deleted, and what a driver has
    pinned. Everything is read once, however often it is needed.

    Args:
        store: Where the blobs are.
    """

    def __init__(self, store: ArtifactStore) -> None:
        self._store = store
        self._values: dict[tuple[str, str | None], set[str]] = {}
        self._manifests: dict[str, set[str]] = {}

    def of_run(self, run: RunRoot) -> set[str]:
        """Return what a run needs.

        A run that has no result yet may have lost its root manifest to a collection while it was
        created: its driver is about to store it again, or died before it could.

        Raises:
            IntegrityError: A blob that tells what else is needed is missing or damaged.
        """
        needed: set[str] = set()
        for digest in run.manifests:
            try:
                needed |= self._of_manifest(digest)
            except BlobMissing as error:
                if len(set(run.manifests)) > 1:
                    raise _unreadable(f"run {run.pathspec}", error) from error
                needed |= {digest}
            except (DataMissingError, IntegrityError) as error:
                raise _unreadable(f"run {run.pathspec}", error) from error
        return needed

    def of_version(self, version: VersionRoot) -> set[str]:
        """Return what a version of an artifact needs.

        Raises:
            IntegrityError: A blob that tells what else is needed is missing or damaged.
        """
        try:
            return self._store.blobs_of_value(version.ref)
        except (DataMissingError, IntegrityError) as error:
            raise _unreadable(f"artifact {version.label}", error) from error

    def of(self, roots: Roots) -> set[str]:
        """Return everything that is alive.

        Raises:
            IntegrityError: A blob that tells what else is needed is missing or damaged.
        """
        found: Iterable[set[str]] = (
            *map(self.of_run, roots.runs),
            *map(self.of_version, roots.versions),
        )
        return set(roots.pinned).union(*found)

    def _of_manifest(self, digest: str) -> set[str]:
        if digest not in self._manifests:
            self._manifests[digest] = self._store.blobs_of(digest, self._values)
        return self._manifests[digest]


def _unreadable(whose: str, error: Exception) -> IntegrityError:
    return IntegrityError(
        f"nobody can tell what {whose} needs, so nothing is deleted ({error}): 'flowkit fsck' "
        "shows what is damaged; restore it, or delete what refers to it"
    )
