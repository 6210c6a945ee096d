"""A store to try something out in: reads what is there, keeps what is written to itself."""

from collections.abc import Iterable, Iterator

from flowkit.ports.blobs import BlobStore, Buffer
from flowkit.stores.memory import MemoryBlobStore


class ScratchBlobStore:
    """Blobs of another store, which is never written, and new ones in memory.

    Args:
        below: The other store.
    """

    def __init__(self, below: BlobStore) -> None:
        self._below = below
        self._own = MemoryBlobStore()

    def get(self, digest: str) -> memoryview:
        """Return a blob's bytes; see `BlobStore.get`."""
        if self._own.exists([digest]):
            return self._own.get(digest)
        return self._below.get(digest)

    def put(self, data: Buffer) -> str:
        """Keep a blob in memory; see `BlobStore.put`."""
        return self._own.put(data)

    def exists(self, digests: Iterable[str]) -> set[str]:
        """Return which of these are there; see `BlobStore.exists`."""
        wanted = list(digests)
        return {*self._own.exists(wanted), *self._below.exists(wanted)}

    def list(self) -> Iterator[tuple[str, int]]:
        """Yield what is in memory; see `BlobStore.list`."""
        return iter(self._own.list())

    def delete(self, digests: Iterable[str]) -> None:
        """Delete from memory; see `BlobStore.delete`."""
        self._own.delete(digests)
