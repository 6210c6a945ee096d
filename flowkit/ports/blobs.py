"""The content store: immutable bytes under the SHA-256 of those bytes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Protocol, runtime_checkable

Buffer = bytes | bytearray | memoryview
"""Contiguous bytes."""


class BlobStore(Protocol):
    """Immutable blobs, addressed by the SHA-256 (64 lower-case hex characters) of their bytes.

    Any number of processes may use one store at the same time.
    """

    def put(self, data: Buffer) -> str:
        """Store the bytes and return their digest.

        Atomic (nobody ever sees a part), durable when it returns, and may be repeated: equal
        bytes are stored once, also when several processes store them at the same time.

        Raises:
            StorageError: The store can't be written; nothing was acknowledged.
        """

    def get(self, digest: str) -> memoryview:
        """Return a blob's bytes, verified against its digest.

        The view may be backed by a private mapping of a file: writing into it never reaches the
        store. It stays valid for as long as it is referenced.

        Raises:
            BlobMissing: There is no such blob.
            BlobCorrupted: There is one, but it is damaged. It is quarantined where the store can.
            StorageError: The store can't be read.
        """

    def exists(self, digests: Iterable[str]) -> set[str]:
        """Return those of the digests that the store has, without reading or verifying them."""

    def list(self) -> Iterator[tuple[str, int]]:
        """Yield digest and stored size in bytes of every blob, in no particular order."""

    def delete(self, digests: Iterable[str]) -> None:
        """Delete blobs; those that are not there are skipped."""


@runtime_checkable
class SupportsMany(Protocol):
    """A store that is faster with many small blobs at once than one by one."""

    def put_many(self, datas: Sequence[Buffer]) -> list[str]:
        """Store each, as `BlobStore.put` does; durable when it returns."""

    def get_many(self, digests: Sequence[str]) -> Mapping[str, memoryview]:
        """Return each, as `BlobStore.get` does; the first error is raised."""
