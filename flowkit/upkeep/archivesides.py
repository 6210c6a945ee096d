"""An archive as a side of a transfer: what a run is read from, and what one is copied into."""

from collections.abc import Mapping, Sequence

from flowkit.content.store import ArtifactStore
from flowkit.content.wholefile import WholeFile
from flowkit.exceptions import InternalError, StorageError
from flowkit.model.transfer import Place, Presence, RunName, RunRows
from flowkit.ports.blobs import BlobStore
from flowkit.upkeep.archive import Archive, ArchiveWriter
from flowkit.upkeep.transfer import Log


class ArchiveOrigin:
    """The `Origin` that is a file with one run.

    Args:
        archive: The file.
        artifacts: Its blobs as values.
    """

    def __init__(self, archive: Archive, artifacts: ArtifactStore) -> None:
        self.blobs: BlobStore = archive
        self.artifacts = artifacts
        self._archive = archive

    def rows(self, name: RunName) -> RunRows:  # noqa: ARG002 - there is one run
        """Return what is known of its run; see `Origin.rows`."""
        return self._archive.index.rows

    def log(self, name: RunName) -> Log | None:  # noqa: ARG002 - there is one run
        """Return the log of its run; see `Origin.log`."""
        return self._archive.log()


class ArchiveTarget:
    """The `Target` that is a file; it appears when the run in it is whole.

    Args:
        path: The file.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._begun: tuple[WholeFile, ArchiveWriter, str] | None = None

    def find(self, names: Sequence[RunName]) -> Sequence[Place]:
        """Return that there is none of the runs; see `Target.find`."""
        return [Place(Presence.ABSENT, name.pathspec) for name in names]

    def begin(self, rows: RunRows, needed: set[str], log: Log | None) -> set[str] | None:
        """Begin with the run; see `Target.begin`."""
        whole = WholeFile(self._path)
        try:
            writer = ArchiveWriter(whole.file, rows, sorted(needed), log)
        except BaseException:
            whole.discard()
            raise
        self._begun = whole, writer, rows.name.pathspec
        return needed

    def put(self, blobs: Mapping[str, memoryview]) -> None:
        """Write blobs; see `Target.put`."""
        _, writer, _ = self._now()
        try:
            for digest, data in blobs.items():
                writer.put(digest, data)
        except StorageError:
            raise
        except OSError as error:
            raise StorageError(f"can't write {self._path}: {error.strerror}") from error

    def land(self) -> tuple[str, set[str]]:
        """Let the file appear; see `Target.land`."""
        whole, writer, pathspec = self._now()
        writer.finish()
        whole.publish()
        self._begun = None
        return pathspec, set()

    def give_up(self) -> None:
        """Leave nothing of the file; see `Target.give_up`."""
        if self._begun is not None:
            self._begun[0].discard()
            self._begun = None

    def _now(self) -> tuple[WholeFile, ArchiveWriter, str]:
        if self._begun is None:
            raise InternalError("no run is being exported")
        return self._begun
