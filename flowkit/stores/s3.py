"""Blobs as objects below one prefix of an S3 bucket: the same bytes as in the local store.

::

    <prefix>/format                       what this is, and what the service can do
    <prefix>/objects/<2 hex>/<64 hex>     one blob each
    <prefix>/quarantine/<64 hex>.<8 hex>  damaged blobs
    <prefix>/logs/<token>.log             the log of a run, as it is in the home of its driver

Equal bytes have equal keys, so that an overwrite changes nothing. Where the service can, small
blobs are put on the condition that they are not there: then no object gets a second version.
"""

import contextlib
import mmap
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence

from flowkit.content import codec
from flowkit.content.hashing import digest_of, is_digest
from flowkit.content.wholefile import WholeFile
from flowkit.exceptions import (
    BlobCorrupted,
    BlobMissing,
    S3BucketNotFound,
    S3Exception,
    S3NotFound,
    S3ObjectChanged,
    StorageError,
)
from flowkit.ports.blobs import Buffer
from flowkit.s3client.bucket import Bucket, Facts
from flowkit.s3client.requests import in_parallel
from flowkit.stores.s3service import ABSENT, S3Service

_ASK_FROM = 8 * 1024 * 1024  # bytes; from here on one look is cheaper than sending them again
_FILE_PATIENCE = 10.0  # seconds; no result depends on a file, but people wait for it
_NOW = 2**62  # of an object whose age nobody knows: never old enough to be deleted


class S3BlobStore:
    """A `BlobStore` in a bucket of an S3 service.

    Args:
        bucket: The bucket.
        prefix: What all keys start with, without slashes at its ends; "" is the whole bucket.
        options: Further arguments of boto3 for what is written, such as ServerSideEncryption.
        copy: File of this machine that keeps what is known about the service; "" is none, and
            no condition is ever used.
    """

    def __init__(
        self,
        bucket: Bucket,
        prefix: str = "",
        options: Mapping[str, str] | None = None,
        copy: str = "",
    ) -> None:
        self._bucket = bucket
        self._root = f"{prefix}/" if prefix else ""
        self._options = dict(options or {})
        self._service = S3Service(bucket, self._root, copy, self._options)

    def put(self, data: Buffer) -> str:
        """Store the bytes and return their digest; one request, two for a large blob."""
        view = codec.flat(data)
        digest = digest_of(view)
        self._put(digest, view)
        return digest

    def put_many(self, datas: Sequence[Buffer]) -> list[str]:
        """Store each, several at a time."""
        views = [codec.flat(data) for data in datas]
        digests = [digest_of(view) for view in views]
        blobs = list(dict(zip(digests, views, strict=True)).items())
        in_parallel(lambda blob: self._put(*blob), blobs)
        return digests

    def get(self, digest: str) -> memoryview:
        """Return a blob's bytes; what comes damaged is fetched once more before that counts."""
        if not is_digest(digest):
            raise BlobMissing(f"{digest!r} is no digest", str(digest))
        try:
            return self._decoded(digest, self._fetch(digest)[0])
        except BlobCorrupted:
            stored, facts = self._fetch(digest)  # it may have been damaged on its way
        try:
            return self._decoded(digest, stored)
        except BlobCorrupted as error:
            raise self._quarantined(digest, facts.etag, error.message) from None

    def get_many(self, digests: Sequence[str]) -> Mapping[str, memoryview]:
        """Return each by its digest, several at a time."""
        unique = list(dict.fromkeys(digests))
        return dict(zip(unique, in_parallel(self.get, unique), strict=True))

    def exists(self, digests: Iterable[str]) -> set[str]:
        """Return those that have an object."""
        unique = [digest for digest in dict.fromkeys(digests) if is_digest(digest)]
        found = in_parallel(lambda digest: self._bucket.exists(self._key(digest)), unique)
        return {digest for digest, is_there in zip(unique, found, strict=True) if is_there}

    def list(self) -> Iterator[tuple[str, int]]:
        """Yield digest and object size of every blob."""
        for digest, size, _ in self.written():
            yield digest, size

    def written(self) -> Iterator[tuple[str, int, int]]:
        """Yield digest, object size and time of writing, to the second, of every blob."""
        for entry in self._bucket.listing(f"{self._root}objects/"):
            digest = entry.key.rpartition("/")[2]
            if is_digest(digest) and entry.key == self._key(digest):
                at = entry.last_modified
                yield digest, entry.size or 0, int(at.timestamp() * 1e6) if at else _NOW

    def delete(self, digests: Iterable[str]) -> None:
        """Delete the objects of blobs."""
        keys = [self._key(digest) for digest in dict.fromkeys(digests) if is_digest(digest)]
        if keys:
            self._bucket.delete(keys)

    def put_file(self, name: str, path: str) -> None:
        """Store what a file holds, which may not be empty."""
        try:
            with open(path, "rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except OSError as error:
            raise StorageError(f"can't read {path}: {error.strerror}") from None
        self._files().put(f"{self._root}{name}", [memoryview(data)], **self._options)

    def get_file(self, name: str, path: str) -> bool:
        """Write what is stored to a file; False if there is nothing."""
        try:
            data, _ = self._files().get(f"{self._root}{name}")
        except S3BucketNotFound:
            raise
        except S3NotFound:
            return False
        with WholeFile(path) as whole:
            whole.file.write(data)
            whole.publish()
        return True

    def delete_file(self, name: str) -> None:
        """Delete what is stored under a name."""
        self._files().delete([f"{self._root}{name}"])

    def prepare(self) -> None:
        """Make what requests need, short of a connection, for processes to inherit."""
        self._bucket.prepare()

    def probe(self) -> str:
        """Find out what the service can do, unless that is known, and say it."""
        return f"conditional writes are {self._service.probe()}"

    def _files(self) -> Bucket:
        return self._bucket.hurried(_FILE_PATIENCE)

    def _key(self, digest: str) -> str:
        return f"{self._root}objects/{digest[:2]}/{digest}"

    def _put(self, digest: str, view: memoryview) -> None:
        chosen = codec.choose(view)
        body = list(codec.payload(view, chosen))
        stored = sum(map(len, body))
        key = self._key(digest)
        if stored >= _ASK_FROM and self._has(key, codec.HEADER_SIZE + stored):
            return
        pieces = [codec.Header(chosen, len(view), stored).to_bytes(), *body]
        if stored < _ASK_FROM and self._service.is_conditional():
            try:
                self._bucket.put(key, pieces, **ABSENT, **self._options)
            except S3ObjectChanged:  # it is there; if it is not whole, it is replaced
                if self._has(key, codec.HEADER_SIZE + stored):
                    return
            else:
                return
        self._bucket.put(key, pieces, **self._options)

    def _has(self, key: str, size: int) -> bool:
        try:
            return self._bucket.facts(key).size == size
        except S3BucketNotFound:
            raise
        except S3NotFound:
            return False

    def _fetch(self, digest: str) -> tuple[memoryview, Facts]:
        try:
            return self._bucket.get(self._key(digest))
        except S3BucketNotFound:
            raise
        except S3NotFound:
            message = f"there is no blob {digest} in {self._bucket.url(self._root)}"
            raise BlobMissing(message, digest) from None

    @staticmethod
    def _decoded(digest: str, stored: memoryview) -> memoryview:
        raw = codec.decode(stored)
        if digest_of(raw) != digest:
            raise BlobCorrupted("its bytes have another digest")
        return raw

    def _quarantined(self, digest: str, etag: str, reason: str) -> BlobCorrupted:
        """Move a damaged object away, if it is still the one that was read, and describe it."""
        key = self._key(digest)
        location = self._bucket.url(key)
        moved = ""
        with contextlib.suppress(S3Exception):
            target = f"{self._root}quarantine/{digest}.{os.urandom(4).hex()}"
            self._bucket.move(key, target, etag)
            location = self._bucket.url(target)
            moved = f"; it was moved to {location}"
        message = f"blob {digest} is damaged in {self._bucket.url(key)}: {reason}{moved}"
        return BlobCorrupted(message, digest=digest, location=location)
