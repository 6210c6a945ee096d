"""A store that wraps a distant one: what was read or written on this machine is kept here."""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from flowkit.access import open_file
from flowkit.content.codec import flat
from flowkit.content.hashing import digest_of, is_digest
from flowkit.exceptions import BlobMissing, IntegrityError, StorageError
from flowkit.ports.blobs import (
    BlobStore,
    Buffer,
    SupportsAges,
    SupportsFiles,
    SupportsMany,
    SupportsPrepare,
    SupportsProbe,
)
from flowkit.stores.durable import make_durable_directories
from flowkit.stores.local import LocalBlobStore

_TRIM_TO = 0.8  # of the limit; so that trimming is rare
_TRIMS_PER_FILL = 16  # how often a cache is looked through while as much as its limit is written
_LARGEST = 0.25  # of the limit; a larger blob would push out too much


class BlobCache:
    """Blobs of one distant store on this machine, up to about a limit.

    A blob gets in here only after the distant store has acknowledged it or has delivered it. The
    cache is never needed: whatever fails here only means that a blob is not there.

    Args:
        root: Directory; nothing else may be stored below it.
        limit: Bytes.
    """

    def __init__(self, root: str, limit: int) -> None:
        self._root = root
        self._limit = limit
        self._blobs = LocalBlobStore(root)

    def __contains__(self, digest: str) -> bool:
        try:
            return bool(self._blobs.exists([digest]))
        except StorageError:
            return False

    def find(self, digest: str) -> memoryview | None:
        """Return a blob's bytes, verified; None if they are not here."""
        try:
            return self._blobs.get(digest)
        except (BlobMissing, IntegrityError, StorageError):
            return None

    def keep(self, views: Sequence[Buffer]) -> None:
        """Take in blobs, and make room for them now and then."""
        fitting = [view for view in views if len(view) <= self._limit * _LARGEST]
        if not fitting:
            return
        with contextlib.suppress(StorageError):
            self._blobs.put_many(fitting)
            # Tasks are short-lived processes: none of them sees how much all have written.
            if _random() * self._limit < sum(map(len, fitting)) * _TRIMS_PER_FILL:
                self._trim()

    def forget(self, digests: Iterable[str]) -> None:
        """Delete blobs."""
        with contextlib.suppress(StorageError):
            self._blobs.delete(digests)

    def renew(self, collections: int) -> None:
        """Forget everything unless this was told the same number before."""
        path = f"{self._root}/collections"
        known = "0"
        with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
            known = file.read()
        if known == str(collections):
            return
        # In this order: whoever is killed in between has it done again.
        self._blobs.delete([digest for digest, _ in self._blobs.list()])
        make_durable_directories(self._root)
        with open(open_file(path, os.O_WRONLY | os.O_TRUNC), "w", encoding="ascii") as file:
            file.write(str(collections))

    def _trim(self) -> None:
        """Delete what was not used for longest, if there is too much."""
        found = list(_uses(f"{self._root}/objects"))
        excess = sum(size for _, size, _ in found) - self._limit
        if excess <= 0:
            return
        excess += int(self._limit * (1 - _TRIM_TO))
        for _, size, digest in sorted(found):
            self._blobs.delete([digest])
            excess -= size
            if excess <= 0:
                return


class ReadThroughStore:
    """A `BlobStore` that asks a distant one only for what this machine does not have.

    Args:
        store: The distant store, which has everything.
        cache: What is here.
    """

    def __init__(self, store: BlobStore, cache: BlobCache) -> None:
        self._store = store
        self._cache = cache

    def put(self, data: Buffer) -> str:
        """Store the bytes, unless that was done from this machine before."""
        return self.put_many([data])[0]

    def put_many(self, datas: Sequence[Buffer]) -> list[str]:
        """Store each."""
        views = [flat(data) for data in datas]
        digests = [digest_of(view) for view in views]
        new = {d: v for d, v in zip(digests, views, strict=True) if d not in self._cache}
        if new:
            _put_all(self._store, list(new.values()))
            self._cache.keep(list(new.values()))
        return digests

    def get(self, digest: str) -> memoryview:
        """Return a blob's bytes, from here if they are here."""
        found = self._cache.find(digest) if is_digest(digest) else None
        if found is None:
            found = self._store.get(digest)
            self._cache.keep([found])
        return found

    def get_many(self, digests: Sequence[str]) -> Mapping[str, memoryview]:
        """Return each by its digest; those that are not here come together."""
        found = {digest: self._cache.find(digest) for digest in digests if is_digest(digest)}
        missing = [digest for digest in dict.fromkeys(digests) if found.get(digest) is None]
        fetched = _get_all(self._store, missing)
        self._cache.keep(list(fetched.values()))
        return {**{d: view for d, view in found.items() if view is not None}, **fetched}

    def exists(self, digests: Iterable[str]) -> set[str]:
        """Return those that the distant store has; of others nothing stays here either.

        So a blob that was lost there is stored again by the next `put`.
        """
        asked = set(digests)
        there = self._store.exists(asked)
        self._cache.forget(asked - there)
        return there

    def list(self) -> Iterator[tuple[str, int]]:
        """Yield digest and size of every blob of the distant store."""
        return self._store.list()

    def written(self) -> Iterator[tuple[str, int, int]]:
        """Yield digest, size and time of writing of every blob of the distant store."""
        if not isinstance(self._store, SupportsAges):
            raise StorageError("the store does not know when its blobs were written")
        return self._store.written()

    def delete(self, digests: Iterable[str]) -> None:
        """Delete blobs there, and here."""
        gone = list(digests)
        self._cache.forget(gone)
        self._store.delete(gone)
        self._cache.forget(gone)  # somebody may have read one meanwhile

    def renew(self, collections: int) -> None:
        """Forget what is here if blobs may have been deleted there."""
        self._cache.renew(collections)

    def put_file(self, name: str, path: str) -> None:
        """Store a file in the distant store."""
        self._files().put_file(name, path)

    def get_file(self, name: str, path: str) -> bool:
        """Write what the distant store has under a name to a file; False if it has nothing."""
        return self._files().get_file(name, path)

    def delete_file(self, name: str) -> None:
        """Delete what the distant store has under a name."""
        self._files().delete_file(name)

    def _files(self) -> SupportsFiles:
        if not isinstance(self._store, SupportsFiles):
            raise StorageError("the store does not keep files")
        return self._store

    def prepare(self) -> None:
        """Make what the distant store's requests need, for processes to inherit."""
        if isinstance(self._store, SupportsPrepare):
            self._store.prepare()

    def probe(self) -> str:
        """Ask the distant store's service what it can do, once per store, and return it."""
        return self._store.probe() if isinstance(self._store, SupportsProbe) else ""


def _put_all(store: BlobStore, datas: Sequence[Buffer]) -> None:
    if isinstance(store, SupportsMany) and len(datas) > 1:
        store.put_many(datas)
    else:
        for data in datas:
            store.put(data)


def _get_all(store: BlobStore, digests: Sequence[str]) -> Mapping[str, memoryview]:
    if isinstance(store, SupportsMany) and len(digests) > 1:
        return store.get_many(digests)
    return {digest: store.get(digest) for digest in digests}


def _uses(directory: str) -> Iterator[tuple[float, int, str]]:
    """Yield when each blob below was last used, its file's size, and its digest.

    Most file systems note the time of a read once a day only, which is fine enough for this.
    """
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as shards:
        for shard in shards:
            with contextlib.suppress(OSError), os.scandir(shard.path) as files:
                for file in files:
                    stat = file.stat(follow_symlinks=False)
                    yield max(stat.st_atime, stat.st_mtime), stat.st_size, file.name


def _random() -> float:
    """Return a number from [0, 1) without touching the generator that users seed."""
    return int.from_bytes(os.urandom(4), "big") / 2**32
