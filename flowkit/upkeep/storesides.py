"""A store as a side of a transfer: what runs are read from, and what they are copied into."""

import os
from collections.abc import Iterator, Mapping, Sequence

from flowkit.access import make_directories
from flowkit.content.logfiles import RunLogs
from flowkit.content.presence import settled
from flowkit.content.store import ArtifactStore
from flowkit.content.wholefile import WholeFile
from flowkit.enums import Status
from flowkit.exceptions import IntegrityError, InternalError, StorageError
from flowkit.model.garbage import PHASES, is_calm
from flowkit.model.records import RunLease, RunRecord
from flowkit.model.transfer import Clash, Place, RunName, RunRows
from flowkit.ports.blobs import BlobStore, SupportsMany
from flowkit.ports.metadata import MetadataReader
from flowkit.ports.transfer import RunSink, RunSource
from flowkit.upkeep.transfer import Log

_PAGE = 500
_PIECE = 1024 * 1024


class StoreOrigin:
    """The `Origin` that is a store.

    Args:
        source: Its metadata.
        blobs: Its blobs.
        artifacts: The same, as values.
        logs: The logs of its runs.
    """

    def __init__(
        self,
        source: RunSource,
        blobs: BlobStore,
        artifacts: ArtifactStore,
        logs: RunLogs,
    ) -> None:
        self.artifacts = artifacts
        self.blobs = blobs
        self._source = source
        self._logs = logs

    def rows(self, name: RunName) -> RunRows:
        """Return what is known of a run; see `Origin.rows`."""
        return self._source.rows(name.flow, name.run_id)

    def log(self, name: RunName) -> Log | None:
        """Return the run's log; see `Origin.log`."""
        path = self._logs.find(name.token)
        try:
            size = os.stat(path).st_size
        except FileNotFoundError:
            return None
        return Log(size, lambda: _pieces(path, size))


def listed(metadata: MetadataReader, flow: str | None) -> Sequence[RunRecord]:
    """Return the runs of a store, or those of one flow, oldest first.

    A run comes after those whose results it took over.
    """
    found: list[RunRecord] = []
    before: int | None = None
    while page := metadata.runs(flow, before=before, limit=_PAGE):
        found.extend(page)
        before = page[-1].key
    return found[::-1]


def is_live(run: RunRecord) -> bool:
    """Whether somebody drives the run."""
    return run.status in (Status.CREATED, Status.RUNNING)


class StoreTarget:
    """The `Target` that is a store; beside a collection of garbage, it behaves as a driver does.

    Args:
        sink: Its metadata.
        blobs: Its blobs.
        artifacts: The same, as values.
        logs: The logs of its runs.
        clash: What to do with a number that is taken.
    """

    def __init__(
        self,
        sink: RunSink,
        blobs: BlobStore,
        artifacts: ArtifactStore,
        logs: RunLogs,
        clash: Clash = Clash.REFUSE,
    ) -> None:
        self._sink = sink
        self._blobs = blobs
        self._artifacts = artifacts
        self._logs = logs
        self._clash = clash
        self._run: tuple[RunLease, RunRows, set[str]] | None = None
        self._sweeps = 0

    def find(self, names: Sequence[RunName]) -> Sequence[Place]:
        """Return for each run what is known of it; see `Target.find`."""
        return self._sink.find(names)

    def begin(self, rows: RunRows, needed: set[str], log: Log | None) -> set[str] | None:
        """Begin with a run; see `Target.begin`."""
        lease = self._sink.begin(rows.name)
        if lease is None:
            return None
        self._run = lease, rows, needed
        self._sweeps = lease.sweeps
        try:
            if log is not None:
                _write_log(self._logs.path(lease.token), log)
                self._logs.upload(lease.token)
            # Before the look: whoever deletes blobs sees the pins, or has buried them already.
            self._sink.sweeping.pin(lease, needed)
            return self._missing(needed)
        except BaseException:
            self.give_up()
            raise

    def put(self, blobs: Mapping[str, memoryview]) -> None:
        """Store blobs; see `Target.put`."""
        lease, _, _ = self._begun()
        expected, datas = list(blobs), list(blobs.values())
        if isinstance(self._blobs, SupportsMany) and len(datas) > 1:
            stored = self._blobs.put_many(datas)
        else:
            stored = [self._blobs.put(data) for data in datas]
        for wanted, got in zip(expected, stored, strict=True):
            if wanted != got:
                raise IntegrityError(f"blob {wanted} came with bytes that have the digest {got}")
        self._sink.heartbeat(lease)

    def land(self) -> tuple[str, set[str]]:
        """Let the run appear; see `Target.land`."""
        lease, rows, needed = self._begun()
        sweeps = self._sink.heartbeat(lease)
        if not is_calm(self._sweeps, sweeps):
            # Somebody who took this process for dead may have deleted what it had seen.
            self._sweeps = sweeps
            missing = self._missing(needed)
            if missing:
                return "", missing
        pathspec = self._sink.land(lease, rows, self._clash)
        self._run = None
        return pathspec, set()

    def give_up(self) -> None:
        """Leave nothing of the run; see `Target.give_up`."""
        if self._run is not None:
            lease, _, _ = self._run
            self._run = None
            self._sink.give_up(lease)

    def _begun(self) -> tuple[RunLease, RunRows, set[str]]:
        if self._run is None:
            raise InternalError("no run is being copied")
        return self._run

    def _missing(self, needed: set[str]) -> set[str]:
        self._artifacts.renew(self._sweeps // PHASES)
        return settled(self._sink.sweeping, self._artifacts, needed)


def _write_log(path: str, log: Log) -> None:
    try:
        make_directories(os.path.dirname(path))
    except OSError as error:
        raise StorageError(f"can't write {path}: {error.strerror}") from error
    with WholeFile(path) as whole:
        for piece in log.pieces():
            whole.file.write(piece)
        whole.publish()


def _pieces(path: str, size: int) -> Iterator[bytes]:
    """Yield the bytes that the file had when it was looked at."""
    try:
        with open(path, "rb") as file:
            while size and (piece := file.read(min(_PIECE, size))):
                size -= len(piece)
                yield piece
    except OSError as error:
        raise StorageError(f"can't read {path}: {error.strerror}") from error
