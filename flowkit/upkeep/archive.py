"""The archive: one run as one file, a tar of exact members in an exact order.

``docs/format.md`` has the layout. Nothing is ever extracted to a path: a member is read where the
index says that it has to be, under the name that it has to have, or the file is refused.
"""

import hashlib
import json
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from flowkit.content import codec
from flowkit.content.hashing import digest_of, is_digest
from flowkit.exceptions import BlobCorrupted, BlobMissing, IntegrityError, StorageError, UsageError
from flowkit.model.transfer import COLUMNS, RUN_COLUMNS, RunRows
from flowkit.ports.blobs import Buffer
from flowkit.upkeep.transfer import Log

VERSION = 1
FORMAT, INDEX, LOG = "format", "index.json", "run.log"
BLOCK = tarfile.BLOCKSIZE
END = b"\0" * (2 * BLOCK)
_TITLE = "flowkit run "
_MAX_FORMAT = 256
_MAX_INDEX = 256 * 1024 * 1024
"""Bytes: about two million rows."""
_PIECE = 1024 * 1024
_MEMORY = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class Index:
    """What is in an archive.

    Attributes:
        rows: What the metadata say of the run.
        blobs: Digests of the blobs, in the order of their members.
        log: Digest of the log; None when there is none.
    """

    rows: RunRows
    blobs: Sequence[str]
    log: str | None


def header(name: str, size: int) -> bytes:
    """Return the header of a member: the same for everybody, whoever writes it and when."""
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = 0o600
    return member.tobuf(tarfile.GNU_FORMAT)


def blob_name(digest: str) -> str:
    """Return the name of a blob's member."""
    return f"objects/{digest[:2]}/{digest}"


# --- writing --------------------------------------------------------------------------------------


class ArchiveWriter:
    """Writes an archive: the index, then the log, then the blobs in the order of the index.

    Args:
        file: An empty file, open for writing, in which places can be written again.
        rows: What is known of the run.
        blobs: Digests of the blobs that are going to be written, in this order.
        log: The run's log.
    """

    def __init__(
        self, file: BinaryIO, rows: RunRows, blobs: Sequence[str], log: Log | None
    ) -> None:
        self._file = file
        self._waiting = iter(blobs)
        digest = None if log is None else _digest_of_pieces(log.pieces())
        index = encode_index(Index(rows, blobs, digest))
        if len(index) > _MAX_INDEX:
            raise StorageError(f"run '{rows.name.pathspec}' has too many tasks for one file")
        title = f"{_TITLE}{VERSION}\n{digest_of(index)}\n".encode()
        self._write(FORMAT, len(title), [title])
        self._write(INDEX, len(index), [index])
        if log is not None:
            self._write(LOG, log.size, log.pieces())

    def put(self, digest: str, data: memoryview) -> None:
        """Write the next blob, as a file of a content store.

        Raises:
            IntegrityError: It has another digest.
        """
        if digest_of(data) != digest or next(self._waiting, None) != digest:
            raise IntegrityError(f"blob {digest} came with other bytes, or out of turn")
        view = codec.flat(data)
        chosen = codec.choose(view)
        start = self._file.tell()
        self._file.seek(start + BLOCK + codec.HEADER_SIZE)
        stored = sum(self._file.write(piece) for piece in codec.payload(view, chosen))
        # Only now the sizes are known.
        self._file.seek(start)
        self._file.write(header(blob_name(digest), codec.HEADER_SIZE + stored))
        self._file.write(codec.Header(chosen, len(view), stored).to_bytes())
        self._file.seek(start + BLOCK + codec.HEADER_SIZE + stored)
        self._pad(codec.HEADER_SIZE + stored)

    def finish(self) -> None:
        """Write the end of the archive."""
        self._file.write(END)

    def _write(self, name: str, size: int, pieces: Iterable[Buffer]) -> None:
        self._file.write(header(name, size))
        if sum(self._file.write(piece) for piece in pieces) != size:
            raise StorageError(f"{name} changed while it was read: try again")
        self._pad(size)

    def _pad(self, size: int) -> None:
        self._file.write(b"\0" * (-size % BLOCK))


def encode_index(index: Index) -> bytes:
    """Return the bytes of an index: equal ones for equal indexes."""
    rows = index.rows
    document = {
        "blobs": list(index.blobs),
        "log": index.log,
        "run": [rows.run[column] for column in RUN_COLUMNS],
        "tables": {
            name: [[row[column] for column in columns] for row in rows.tables[name]]
            for name, columns in COLUMNS.items()
        },
    }
    return _ENCODER.encode(document).encode("ascii")


def parse_index(data: bytes) -> Index:
    """Return the index that the bytes are; its rows are not checked yet.

    Raises:
        IntegrityError: They are none.
    """
    try:
        return _index(json.loads(data))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise IntegrityError(f"its index can't be read: {error}") from None


def _index(document: Any) -> Index:
    if document.keys() != {"blobs", "log", "run", "tables"}:
        raise TypeError("it has other fields")
    blobs, log, tables = document["blobs"], document["log"], document["tables"]
    if not all(map(is_digest, blobs)) or len(set(blobs)) != len(blobs):
        raise TypeError("its blobs are no digests")
    if not (log is None or is_digest(log)):
        raise TypeError("its log is no digest")
    if tables.keys() != COLUMNS.keys():
        raise TypeError("it has other tables")
    parsed = {
        name: [_row(columns, values) for values in tables[name]]
        for name, columns in COLUMNS.items()
    }
    return Index(RunRows(_row(RUN_COLUMNS, document["run"]), parsed), blobs, log)


def _row(columns: Sequence[str], values: Any) -> Mapping[str, Any]:
    if type(values) is not list:
        raise TypeError("a row is no list")
    return dict(zip(columns, values, strict=True))


def _digest_of_pieces(pieces: Iterator[bytes]) -> str:
    hasher = hashlib.sha256()
    for piece in pieces:
        hasher.update(piece)
    return hasher.hexdigest()


# --- reading --------------------------------------------------------------------------------------


class Archive:
    """An archive, open for reading; what it says is true when it is open.

    Every byte is read once and checked before anything is handed out.

    Args:
        path: The file.
        largest: How many bytes a blob may have; the machine's memory, unless said otherwise.

    Raises:
        StorageError: The file can't be read.
        UsageError: It is no regular file.
        IntegrityError: It is no archive, or a damaged one, or one of a newer flowkit.
    """

    def __init__(self, path: str | os.PathLike[str], *, largest: int = _MEMORY) -> None:
        self._path = os.fspath(path)
        self._largest = largest
        self._file = _opened(self._path)
        try:
            self._size = os.fstat(self._file.fileno()).st_size
            self._position = 0
            self._places: dict[str, tuple[int, int]] = {}
            self.index = self._read_index()
            self._check_members()
        except IntegrityError as error:
            self.close()
            raise IntegrityError(f"{self._path} can't be imported: {error}") from None
        except OSError as error:
            self.close()
            raise StorageError(f"can't read {self._path}: {error.strerror}") from error
        except BaseException:
            self.close()
            raise

    # --- as a blob store ----------------------------------------------------------------------

    def get(self, digest: str) -> memoryview:
        """Return a blob's bytes; see `BlobStore.get`."""
        if digest not in self._places:
            raise BlobMissing(f"there is no blob {digest} in {self._path}", digest)
        position, size = self._places[digest]
        self._file.seek(position)
        stored = memoryview(self._file.read(size))
        if codec.parse_header(stored[: codec.HEADER_SIZE], len(stored)).raw_size > self._largest:
            raise BlobCorrupted(f"blob {digest} is larger than this machine's memory")
        data = codec.decode(stored)
        if digest_of(data) != digest:
            raise BlobCorrupted(f"blob {digest} in {self._path} is damaged", digest=digest)
        return data

    def exists(self, digests: Iterable[str]) -> set[str]:
        """Return those of the digests that it has."""
        return self._places.keys() & set(digests)

    def list(self) -> Iterator[tuple[str, int]]:
        """Yield digest and stored size of every blob."""
        return ((digest, size) for digest, (_, size) in self._places.items() if digest != LOG)

    def put(self, data: Buffer) -> str:
        """Refuse: an archive is written once."""
        raise StorageError(f"{self._path} is only read, not {len(data)} bytes written to it")

    def delete(self, digests: Iterable[str]) -> None:
        """Refuse: an archive is written once."""
        raise StorageError(f"{self._path} is only read: {len(set(digests))} blobs stay in it")

    # --- the rest of the run ------------------------------------------------------------------

    def log(self) -> Log | None:
        """Return the log of the run; None when there is none in it."""
        if LOG not in self._places:
            return None
        position, size = self._places[LOG]
        return Log(size, lambda: self._pieces(position, size))

    def close(self) -> None:
        """Close the file. May be repeated."""
        self._file.close()

    # --- inside -------------------------------------------------------------------------------

    def _read_index(self) -> Index:
        if self._file.read(len(FORMAT) + 1) != FORMAT.encode() + b"\0":
            raise IntegrityError("it is no archive of flowkit")
        title = self._member(FORMAT, _MAX_FORMAT)
        if not title.startswith(_TITLE.encode()):
            raise IntegrityError("it is no archive of flowkit")
        version, _, digest = title[len(_TITLE) : -1].partition(b"\n")
        if version != str(VERSION).encode():
            shown = version.decode("ascii", "replace")[:20]
            raise IntegrityError(f"it has format {shown!r}: a newer flowkit may be able to read it")
        data = self._member(INDEX, _MAX_INDEX)
        if digest_of(data).encode() != digest:
            raise IntegrityError("its index is damaged")
        return parse_index(data)

    def _check_members(self) -> None:
        if self.index.log is not None:
            position, size = self._places[LOG] = self._find(LOG, self._size)
            if _digest_of_pieces(self._pieces(position, size)) != self.index.log:
                raise IntegrityError("its log is damaged")
        for digest in self.index.blobs:
            self._places[digest] = self._find(blob_name(digest), self._size)
            try:
                self.get(digest)
            except BlobCorrupted as error:
                raise IntegrityError(f"blob {digest} is damaged: {error}") from None
        self._file.seek(self._position)
        rest = self._file.read(len(END) + 1)
        if rest != END:
            raise IntegrityError("it does not end where it should")

    def _member(self, name: str, limit: int) -> bytes:
        position, size = self._find(name, limit)
        self._file.seek(position)
        return self._file.read(size)

    def _find(self, name: str, limit: int) -> tuple[int, int]:
        """Return where the next member's bytes are and how many; it has to have this name."""
        self._file.seek(self._position)
        found = self._file.read(BLOCK)
        try:
            size = tarfile.TarInfo.frombuf(found, "ascii", "strict").size
            is_expected = 0 <= size <= limit and header(name, size) == found
        except (tarfile.HeaderError, UnicodeError, ValueError, OverflowError):
            is_expected = False
            size = 0
        if not is_expected:
            raise IntegrityError(f"{name} is not where it should be: it is damaged, or not ours")
        start = self._position + BLOCK
        self._position = start + size + -size % BLOCK
        if self._position > self._size:
            raise IntegrityError(f"it is cut off in {name}")
        self._file.seek(start + size)
        if self._file.read(-size % BLOCK).strip(b"\0"):
            raise IntegrityError(f"there is something between {name} and what follows")
        return start, size

    def _pieces(self, position: int, size: int) -> Iterator[bytes]:
        while size:
            self._file.seek(position)
            piece = self._file.read(min(_PIECE, size))
            if not piece:
                raise IntegrityError(f"{self._path} was cut off while it was read")
            position, size = position + len(piece), size - len(piece)
            yield piece


def _opened(path: str) -> BinaryIO:
    try:
        # Without waiting: it may be a pipe.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise StorageError(f"can't read {path}: {error.strerror}") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise UsageError(f"{path} is no regular file")
    return os.fdopen(descriptor, "rb")
