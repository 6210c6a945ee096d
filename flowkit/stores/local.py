"""Blobs as files below one directory: durable, verified, shared by any number of processes.

::

    format                       what this directory is; written last when a store is made
    objects/<2 hex>/<64 hex>     one blob each, read-only
    tmp/                         files being written; leftovers of killed writers
    verified/<2 hex>/<64 hex>    marks of large blobs that were verified on this machine
    quarantine/                  damaged blobs
"""

import contextlib
import errno
import hashlib
import mmap
import os
import re
import stat as modes
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from flowkit.access import make_directory
from flowkit.content import codec
from flowkit.content.hashing import digest_of, is_digest
from flowkit.content.syncing import sync_directory
from flowkit.exceptions import BlobCorrupted, BlobMissing, StorageError
from flowkit.ports.blobs import Buffer
from flowkit.stores.durable import (
    TemporaryFile,
    make_durable_directories,
    storage_errors,
    write_all,
)
from flowkit.stores.marks import VerifiedMarks, now

_FORMAT = b"flowkit content store 1\n"
_LARGE = 4 * 1024 * 1024  # from here on hashing and writing overlap
_MAP_FROM = 1024 * 1024  # below, reading and hashing cost less than a mapping and its descriptor
_MAP_ALWAYS = 64 * 1024 * 1024  # such a blob is mapped even when there are many mappings
_MAX_MAPPINGS = 128  # before Python 3.13 a mapping holds a descriptor
_BATCH = 32  # files that one writer has open at once
_SHARD = re.compile(r"[0-9a-f]{2}")
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class LocalBlobStore:
    """A `BlobStore` in a directory; it is made on the first write, reading creates nothing.

    Files are 0400 and directories 0700 whatever the umask; 0440 and 2770 in a shared directory. An
    existing blob is not written again. Views from `get` are writable and private: they never reach
    the store.

    Args:
        root: The directory.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self._root = os.path.abspath(root)
        self._objects = f"{self._root}/objects"
        self._temporary = f"{self._root}/tmp"  # noqa: S108 - it is our own
        self._quarantine = f"{self._root}/quarantine"
        self._marks = VerifiedMarks(f"{self._root}/verified", self._temporary)
        self._mappings: weakref.WeakSet[mmap.mmap] = weakref.WeakSet()
        self._durable_shards: set[str] = set()
        self._is_made = False

    def put(self, data: Buffer) -> str:
        """Store the bytes and return their digest."""
        return self.put_many([data])[0]

    def put_many(self, datas: Sequence[Buffer]) -> list[str]:
        """Store each and return their digests; each directory is synced once."""
        digests: list[str] = []
        small: dict[str, memoryview] = {}
        with storage_errors("write to the store", self._root):
            self._make()
            for view in map(codec.flat, datas):
                if len(view) < _LARGE:
                    digests.append(digest_of(view))
                    small[digests[-1]] = view
                else:
                    digests.append(self._write_large(view))
            waiting = list(small.items())
            for start in range(0, len(waiting), _BATCH):
                self._write_small(waiting[start : start + _BATCH])
            self._sync({digest[:2] for digest in digests})
        return digests

    def get(self, digest: str) -> memoryview:
        """Return a blob's bytes; a large one is mapped, and hashed once per machine."""
        if not is_digest(digest):
            raise BlobMissing(f"{digest!r} is no digest", str(digest))
        path = self._path(digest)
        opened_at = now()
        with storage_errors("read", path):
            stored, stat = self._read(digest, path)
        try:
            return self._decoded(digest, stored, stat, opened_at)
        except BlobCorrupted as error:
            raise self._quarantined(digest, stat, error.message) from None

    def get_many(self, digests: Sequence[str]) -> Mapping[str, memoryview]:
        """Return each by its digest."""
        return {digest: self.get(digest) for digest in digests}

    def exists(self, digests: Iterable[str]) -> set[str]:
        """Return those that have a file."""
        found = set()
        for digest in filter(is_digest, digests):
            path = self._path(digest)
            with storage_errors("look for", path), contextlib.suppress(FileNotFoundError):
                os.lstat(path)
                found.add(digest)
        return found

    def list(self) -> Iterator[tuple[str, int]]:
        """Yield digest and file size of every blob."""
        for digest, size, _ in self.written():
            yield digest, size

    def written(self) -> Iterator[tuple[str, int, int]]:
        """Yield digest, file size and time of writing of every blob."""
        with storage_errors("list", self._objects):
            for shard in _entries(self._objects):
                if not _SHARD.fullmatch(shard.name) or not shard.is_dir(follow_symlinks=False):
                    continue
                for entry in _entries(shard.path):
                    if is_digest(entry.name) and entry.name.startswith(shard.name):
                        with contextlib.suppress(FileNotFoundError):
                            stat = entry.stat(follow_symlinks=False)
                            yield entry.name, stat.st_size, stat.st_mtime_ns // 1000

    def leftovers(self, before: int) -> Iterator[tuple[str, int]]:
        """Yield name and size of the unfinished files of dead processes."""
        with storage_errors("list", self._temporary):
            for entry in _entries(self._temporary):
                with contextlib.suppress(FileNotFoundError):
                    stat = entry.stat(follow_symlinks=False)
                    if stat.st_mtime_ns // 1000 < before and not _is_written_by_the_living(entry):
                        yield entry.name, stat.st_size

    def remove_leftovers(self, before: int) -> None:
        """Delete them."""
        for name, _ in self.leftovers(before):
            path = f"{self._temporary}/{name}"
            with storage_errors("delete", path), contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def delete(self, digests: Iterable[str]) -> None:
        """Delete the files and marks of blobs."""
        for digest in filter(is_digest, digests):
            path = self._path(digest)
            self._marks.remove(digest)
            with storage_errors("delete", path), contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def _path(self, digest: str) -> str:
        return f"{self._objects}/{digest[:2]}/{digest}"

    # --- writing ------------------------------------------------------------------------------

    def _make(self) -> None:
        """Make the store unless it is; its format file proves that all above it is durable."""
        if self._is_made:
            return
        path = f"{self._root}/format"
        try:
            with open(path, "rb") as file:
                found = file.read(256)
        except FileNotFoundError:
            make_durable_directories(self._root)
            make_directory(self._objects)
            make_directory(self._temporary)
            sync_directory(self._root)
            found = _FORMAT
            with _temporary_files(self._temporary) as create:
                file_ = create()
                write_all(file_.descriptor, found)
                file_.sync()
                file_.publish(path)
            sync_directory(self._root)
        if found != _FORMAT:
            raise StorageError(f"{path} names a format that this flowkit doesn't know: {found!r}")
        self._is_made = True

    def _write_small(self, blobs: Sequence[tuple[str, memoryview]]) -> None:
        """Write all, then sync all, then publish all: the syncs share the journal's work."""
        with _temporary_files(self._temporary) as create:
            written = []
            for digest, view in blobs:
                if not self._has(digest, len(view)):
                    file = create()
                    _write_blob(file.descriptor, view)
                    written.append((digest, file))
            for _, file in written:
                file.sync()
            for digest, file in written:
                self._publish(file, digest)

    def _write_large(self, view: memoryview) -> str:
        """Write while another thread hashes: both release the interpreter's lock."""
        import threading  # noqa: PLC0415 - small values need no thread

        hasher = hashlib.sha256()
        thread = threading.Thread(target=hasher.update, args=(view,), name="flowkit-hash")
        with _temporary_files(self._temporary) as create:
            file = create()
            thread.start()
            try:
                _write_blob(file.descriptor, view)
            finally:
                thread.join()
            digest = hasher.hexdigest()
            if not self._has(digest, len(view)):
                file.sync()
                self._publish(file, digest)
        return digest

    def _has(self, digest: str, size: int) -> bool:
        """Tell whether there is a file for it that looks whole."""
        try:
            descriptor = os.open(self._path(digest), _READ)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP):
                return False
            raise
        try:
            head = os.read(descriptor, codec.HEADER_SIZE)
            return codec.parse_header(head, os.fstat(descriptor).st_size).raw_size == size
        except BlobCorrupted:
            return False  # the new file will take its place
        finally:
            os.close(descriptor)

    def _publish(self, file: TemporaryFile, digest: str) -> None:
        if digest[:2] not in self._durable_shards:
            make_directory(f"{self._objects}/{digest[:2]}")
        file.publish(self._path(digest))

    def _sync(self, shards: set[str]) -> None:
        """Make names durable, also those that others have written but perhaps not yet synced."""
        for shard in shards:
            sync_directory(f"{self._objects}/{shard}")
        if not shards <= self._durable_shards:
            sync_directory(self._objects)
            self._durable_shards |= shards

    # --- reading ------------------------------------------------------------------------------

    def _read(self, digest: str, path: str) -> tuple[memoryview, os.stat_result]:
        try:
            descriptor = os.open(path, _READ)
        except FileNotFoundError:
            raise BlobMissing(f"there is no blob {digest} in {self._root}", digest) from None
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            raise self._quarantined(digest, os.lstat(path), "it is a symbolic link") from None
        try:
            stat = os.fstat(descriptor)
            if not modes.S_ISREG(stat.st_mode):
                raise self._quarantined(digest, stat, "it is no regular file")
            if stat.st_size >= _MAP_ALWAYS or (
                stat.st_size >= _MAP_FROM and len(self._mappings) < _MAX_MAPPINGS
            ):
                mapping = mmap.mmap(descriptor, stat.st_size, access=mmap.ACCESS_COPY)
                self._mappings.add(mapping)
                return memoryview(mapping), stat
            return _read_all(descriptor, stat.st_size), stat
        finally:
            os.close(descriptor)

    def _decoded(
        self, digest: str, stored: memoryview, stat: os.stat_result, opened_at: int
    ) -> memoryview:
        raw = codec.decode(stored)
        is_large = stat.st_size >= _MAP_FROM
        if is_large and self._marks.covers(digest, stat):
            return raw
        if digest_of(raw) != digest:
            raise BlobCorrupted("its bytes have another digest")
        if is_large:
            self._marks.add(digest, stat, opened_at)
        return raw

    def _quarantined(self, digest: str, stat: os.stat_result, reason: str) -> BlobCorrupted:
        """Move a damaged file away, if it is still the one that was read, and describe it."""
        path = location = self._path(digest)
        with contextlib.suppress(OSError):
            if os.path.samestat(os.lstat(path), stat):
                make_directory(self._quarantine)
                target = f"{self._quarantine}/{digest}.{os.urandom(4).hex()}"
                os.rename(path, target)
                location = target
        moved = f"; it was moved to {location}" if location != path else ""
        message = f"blob {digest} is damaged in {path}: {reason}{moved}"
        return BlobCorrupted(message, digest=digest, location=location)


@contextlib.contextmanager
def _temporary_files(directory: str) -> Iterator[Callable[[], TemporaryFile]]:
    """Give a function that makes temporary files; those that are not published are removed."""
    files: list[TemporaryFile] = []

    def create() -> TemporaryFile:
        files.append(TemporaryFile(directory))
        return files[-1]

    try:
        yield create
    finally:
        for file in files:
            file.discard()


def _write_blob(descriptor: int, view: memoryview) -> None:
    """Write a whole blob file; the header comes last as it holds the payload's length."""
    chosen = codec.choose(view)
    os.lseek(descriptor, codec.HEADER_SIZE, os.SEEK_SET)
    stored = sum(write_all(descriptor, piece) for piece in codec.payload(view, chosen))
    os.lseek(descriptor, 0, os.SEEK_SET)
    write_all(descriptor, codec.Header(chosen, len(view), stored).to_bytes())


def _read_all(descriptor: int, size: int) -> memoryview:
    view = memoryview(bytearray(size))
    done = 0
    while done < size:
        count = os.readv(descriptor, [view[done:]])
        if count == 0:
            break
        done += count
    return view[:done]


def _entries(directory: str) -> Iterator[os.DirEntry[str]]:
    try:
        entries = os.scandir(directory)
    except FileNotFoundError:
        return
    with entries:
        yield from entries


def _is_written_by_the_living(entry: os.DirEntry[str]) -> bool:
    """Tell whether a process of this machine has the id that the file's name begins with.

    Ids are used again, and other machines have their own: the file's age decides as well.
    """
    pid = entry.name.partition("-")[0]
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
