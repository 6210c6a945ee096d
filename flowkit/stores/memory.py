"""Blobs in memory: for tests, and for runs that are to leave nothing behind."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from flowkit.content.codec import flat
from flowkit.content.hashing import digest_of
from flowkit.exceptions import BlobCorrupted, BlobMissing
from flowkit.ports.blobs import Buffer


class MemoryBlobStore:
    """A `BlobStore` in a dictionary of this process; everything but durability is real.

    Args:
        blobs: The dictionary, digest to bytes; a new one if not given.
    """

    def __init__(self, blobs: dict[str, bytes] | None = None) -> None:
        self._blobs = {} if blobs is None else blobs

    def put(self, data: Buffer) -> str:
        """Store a copy of the bytes and return their digest."""
        view = flat(data)
        digest = digest_of(view)
        if digest not in self._blobs:
            self._blobs[digest] = bytes(view)
        return digest

    def put_many(self, datas: Sequence[Buffer]) -> list[str]:
        """Store each."""
        return [self.put(data) for data in datas]

    def get(self, digest: str) -> memoryview:
        """Return the bytes, read-only; a damaged blob is forgotten."""
        try:
            data = self._blobs[digest]
        except KeyError:
            raise BlobMissing(f"there is no blob {digest} in memory", digest) from None
        if digest_of(data) != digest:
            del self._blobs[digest]
            raise BlobCorrupted(f"blob {digest} is damaged in memory", digest, "memory")
        return memoryview(data)

    def get_many(self, digests: Sequence[str]) -> Mapping[str, memoryview]:
        """Return each by its digest."""
        return {digest: self.get(digest) for digest in digests}

    def exists(self, digests: Iterable[str]) -> set[str]:
        """Return those that are here."""
        return {digest for digest in digests if digest in self._blobs}

    def list(self) -> Iterator[tuple[str, int]]:
        """Yield digest and size of every blob."""
        for digest, data in list(self._blobs.items()):
            yield digest, len(data)

    def delete(self, digests: Iterable[str]) -> None:
        """Forget blobs."""
        for digest in digests:
            self._blobs.pop(digest, None)
