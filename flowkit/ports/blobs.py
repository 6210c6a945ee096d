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


@runtime_checkable
class SupportsPrepare(Protocol):
    """A store whose first use in a process costs something that forked processes can share."""

    def prepare(self) -> None:
        """Load and make what can be inherited over a fork; no thread, no connection."""


@runtime_checkable
class SupportsProbe(Protocol):
    """A store whose service has to be asked what it can do."""

    def probe(self) -> str:
        """Ask, once per store, and return what is known in some words.

        Raises:
            StorageError: The store can't be used.
        """


@runtime_checkable
class SupportsAges(Protocol):
    """A store that knows when its blobs were written."""

    def written(self) -> Iterator[tuple[str, int, int]]:
        """Yield digest, stored size and the time of writing (UTC microseconds) of every blob.

        The time counts from when the blob was last written, not from when it was asked to be.
        """


@runtime_checkable
class SupportsRenewal(Protocol):
    """A store that keeps copies of blobs, and does not store again what it has a copy of."""

    def renew(self, collections: int) -> None:
        """Forget all copies if there were other collections of garbage than when this was called.

        Args:
            collections: How many there have been.
        """


@runtime_checkable
class SupportsFiles(Protocol):
    """A distant store that also keeps files under names, for machines that share nothing else.

    Names are made by flowkit; they never begin as those of the store's own objects do.
    """

    def put_file(self, name: str, path: str) -> None:
        """Store what a file holds now, in place of what had the name.

        Raises:
            StorageError: It can't be read or stored; nobody ever sees a part of it.
        """

    def get_file(self, name: str, path: str) -> bool:
        """Write what is stored to a file, which is whole at once; False if nothing has the name.

        Raises:
            StorageError: It can't be fetched or written.
        """

    def delete_file(self, name: str) -> None:
        """Delete what is stored under a name, if anything is."""


@runtime_checkable
class SupportsLeftovers(Protocol):
    """A store in which killed writers leave something behind."""

    def leftovers(self, before: int) -> Iterator[tuple[str, int]]:
        """Yield name and size of what was left before a time (UTC microseconds) by the dead."""

    def remove_leftovers(self, before: int) -> None:
        """Delete them."""
