"""Whole objects in and out of one bucket, large ones in parallel parts."""

import base64
import contextlib
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

from flowkit.exceptions import S3Exception, S3InvalidRange, S3NotFound, S3ObjectChanged
from flowkit.ports.blobs import Buffer
from flowkit.s3client.requests import Requests, in_parallel

T = TypeVar("T")

MULTIPART_FROM = 64 * 1024 * 1024
"""Bytes; such an object is sent in parallel parts."""
RANGES_FROM = 32 * 1024 * 1024
"""Bytes; what comes after so many is fetched in parallel ranges."""

_PART = 16 * 1024 * 1024
_PARALLEL_PARTS = 8  # times _PART is the memory that a large object takes beside its bytes
_TRIES = 2  # at an object that is replaced while it is read, but the last
_MOST_PARTS = 10_000  # of one object
_MOST_DELETES = 1000  # in one request
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a service says about an object.

    Attributes:
        size: Bytes of the whole object.
        etag: Changes when the object does.
        content_type: As given by whoever has put it.
        metadata: Likewise.
        encryption: Kind of server-side encryption; None is unencrypted or unknown.
        last_modified: When it was put.
    """

    size: int
    etag: str = ""
    content_type: str | None = None
    metadata: Mapping[str, str] | None = None
    encryption: str | None = None
    last_modified: datetime | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One entry of a listing; a prefix that stands for the keys below it has no size."""

    key: str
    size: int | None
    last_modified: datetime | None = None


class Bucket:
    """The objects of one bucket; every method raises `S3Exception` when it fails.

    Args:
        requests: Sends the requests.
        name: Name of the bucket.
    """

    def __init__(self, requests: Requests, name: str) -> None:
        self._requests = requests
        self.name = name

    def url(self, key: str) -> str:
        """Return the URL of an object."""
        return f"s3://{self.name}/{key}"

    def hurried(self, patience: float) -> "Bucket":
        """Return the same bucket, asked again for so many seconds at most."""
        return Bucket(self._requests.hurried(patience), self.name)

    def prepare(self) -> None:
        """See `Connection.prepare`."""
        self._requests.connection.prepare()

    # --- writing ----------------------------------------------------------------------------------

    def put(self, key: str, pieces: Sequence[Buffer], **options: Any) -> None:
        """Store an object; it is there when this returns, and nobody ever sees a part of it.

        Args:
            key: Its key.
            pieces: Its bytes, in order; large ones are not copied as a whole.
            options: Further arguments of boto3's ``put_object``, such as ContentType.
        """
        size = sum(map(len, pieces))
        if size < MULTIPART_FROM:
            self._put_whole(key, b"".join(pieces), options)
        else:
            self._put_parts(key, _cut(pieces, max(_PART, -(-size // _MOST_PARTS))), size, options)

    def _put_whole(self, key: str, body: bytes, options: Mapping[str, Any]) -> None:
        sums = _sums(body)

        def send(client: Any) -> Any:
            return client.put_object(Bucket=self.name, Key=key, Body=body, **sums, **options)

        answer = self._call("write", key, send)
        self._compare(key, answer, sums)
        if "ChecksumSHA256" not in answer and self.facts(key).size != len(body):
            raise self._altered(key)

    def _put_parts(
        self,
        key: str,
        parts: Sequence[Sequence[memoryview]],
        size: int,
        options: Mapping[str, Any],
    ) -> None:
        begin = partial(self._begin, key, options)
        upload = {"Bucket": self.name, "Key": key, "UploadId": self._call("write", key, begin)}
        try:
            numbered = list(enumerate(parts, start=1))
            sent = in_parallel(partial(self._put_part, key, upload), numbered, _PARALLEL_PARTS)
            self._complete(key, upload, sent, size)
        except BaseException:
            self._abandon(key, upload)
            raise

    def _begin(self, key: str, options: Mapping[str, Any], client: Any) -> str:
        answer = client.create_multipart_upload(
            Bucket=self.name, Key=key, ChecksumAlgorithm="SHA256", **options
        )
        identity: str = answer["UploadId"]
        return identity

    def _put_part(
        self, key: str, upload: Mapping[str, str], part: tuple[int, Sequence[memoryview]]
    ) -> dict[str, Any]:
        number, pieces = part
        body = b"".join(pieces)
        sums = _sums(body)

        def send(client: Any) -> Any:
            return client.upload_part(**upload, PartNumber=number, Body=body, **sums)

        answer = self._call("write", key, send)
        self._compare(key, answer, sums)
        return {"PartNumber": number, "ETag": answer["ETag"], **sums}

    def _compare(self, key: str, answer: Mapping[str, Any], sums: Mapping[str, str]) -> None:
        """Compare what a service says it has got with what was sent; not all of them say it."""
        if any(answer.get(name, value) != value for name, value in sums.items()):
            raise self._altered(key)

    def _altered(self, key: str) -> S3Exception:
        return S3Exception(f"{self.url(key)} does not hold what was written: write it again")

    def _complete(
        self, key: str, upload: Mapping[str, str], sent: Sequence[dict[str, Any]], size: int
    ) -> None:
        def send(client: Any) -> None:
            client.complete_multipart_upload(**upload, MultipartUpload={"Parts": list(sent)})

        try:
            self._call("write", key, send)
        except S3NotFound:
            # No such upload: an earlier attempt has completed it, but its answer was lost.
            if self.facts(key).size != size:
                raise

    def _abandon(self, key: str, upload: Mapping[str, str]) -> None:
        """Free what was sent. A lifecycle rule of the bucket does it where this fails."""
        try:
            self._call("clean up", key, lambda client: client.abort_multipart_upload(**upload))
        except S3Exception:
            return

    # --- reading ----------------------------------------------------------------------------------

    def get(
        self, key: str, allocate: Callable[[int], Buffer] = bytearray
    ) -> tuple[memoryview, Facts]:
        """Return an object's bytes, and what is known about it.

        Args:
            key: Its key.
            allocate: Returns writable memory of so many bytes for it; may be called again.
        """
        for _ in range(_TRIES):
            with contextlib.suppress(S3ObjectChanged):
                return self._get(key, allocate)
        return self._get(key, allocate)

    def _get(self, key: str, allocate: Callable[[int], Buffer]) -> tuple[memoryview, Facts]:
        def begin(client: Any) -> tuple[memoryview, int, Facts]:
            answer = client.get_object(
                Bucket=self.name, Key=key, Range=f"bytes=0-{RANGES_FROM - 1}"
            )
            facts = _facts(answer)
            target = memoryview(allocate(facts.size))
            done = min(facts.size, answer["ContentLength"])
            _fill(target[:done], answer["Body"])
            return target, done, facts

        try:
            target, done, facts = self._call("read", key, begin)
        except S3InvalidRange:  # it has no bytes at all
            return memoryview(allocate(0)), self.facts(key)
        starts = range(done, facts.size, _PART)
        in_parallel(partial(self._fetch, key, target, facts.etag), starts, _PARALLEL_PARTS)
        return target, facts

    def get_range(self, key: str, span: str) -> tuple[memoryview, int, Facts]:
        """Return some bytes of an object, where they start, and what is known about it.

        Args:
            key: Its key.
            span: As HTTP writes it: "bytes=10-19", "bytes=10-", "bytes=-10".

        Raises:
            S3InvalidRange: There are no such bytes.
        """

        def send(client: Any) -> tuple[memoryview, int, Facts]:
            answer = client.get_object(Bucket=self.name, Key=key, Range=span)
            target = memoryview(bytearray(answer["ContentLength"]))
            _fill(target, answer["Body"])
            return target, _start(answer), _facts(answer)

        return self._call("read", key, send)

    def _fetch(self, key: str, target: memoryview, etag: str, start: int) -> None:
        end = min(start + _PART, len(target))

        def send(client: Any) -> None:
            answer = client.get_object(
                Bucket=self.name, Key=key, Range=f"bytes={start}-{end - 1}", IfMatch=etag
            )
            _fill(target[start:end], answer["Body"])

        self._call("read", key, send)

    def facts(self, key: str) -> Facts:
        """Return what is known about an object, without reading it."""

        def look(client: Any) -> Facts:
            return _facts(client.head_object(Bucket=self.name, Key=key))

        return self._call("look for", key, look)

    def exists(self, key: str) -> bool:
        """Tell whether there is an object under the key."""
        try:
            self.facts(key)
        except S3NotFound:
            return False
        return True

    def listing(self, prefix: str, delimiter: str = "") -> Iterator[Listed]:
        """Yield the objects whose keys start with the prefix, in the order of their keys.

        Args:
            prefix: What the keys start with.
            delimiter: Keys that are equal up to the next one of these are yielded once, as a
                prefix.
        """
        token = ""
        while True:
            page = self._call("list", prefix, partial(self._page, prefix, delimiter, token))
            for entry in page.get("CommonPrefixes", ()):
                yield Listed(entry["Prefix"], None)
            for entry in page.get("Contents", ()):
                yield Listed(entry["Key"], entry["Size"], entry.get("LastModified"))
            token = page.get("NextContinuationToken", "")
            if not token:
                return

    def _page(self, prefix: str, delimiter: str, token: str, client: Any) -> Any:
        more = {"ContinuationToken": token} if token else {}
        return client.list_objects_v2(Bucket=self.name, Prefix=prefix, Delimiter=delimiter, **more)

    # --- moving and deleting ----------------------------------------------------------------------

    def move(self, key: str, target: str, etag: str) -> None:
        """Give an object another key, if it still has this etag."""
        source = {"Bucket": self.name, "Key": key}
        place = {"Bucket": self.name, "Key": target}
        self._call(
            "move",
            key,
            lambda client: client.copy_object(CopySource=source, CopySourceIfMatch=etag, **place),
        )
        self._call("delete", key, lambda client: client.delete_object(**source, IfMatch=etag))

    def delete(self, keys: Sequence[str]) -> None:
        """Delete objects; those that are not there are skipped."""
        if len(keys) == 1:
            self._delete_one(keys[0])
            return
        for start in range(0, len(keys), _MOST_DELETES):
            batch = keys[start : start + _MOST_DELETES]
            try:
                left = self._delete_batch(batch)
            except S3Exception:
                left = list(batch)  # some services want a digest here that others refuse
            in_parallel(self._delete_one, left)

    def _delete_batch(self, keys: Sequence[str]) -> list[str]:
        """Delete in one request, and return what could not be deleted."""
        wanted = {"Objects": [{"Key": key} for key in keys], "Quiet": True}
        answer = self._call(
            "delete",
            keys[0],
            lambda client: client.delete_objects(Bucket=self.name, Delete=wanted),
        )
        return [error["Key"] for error in answer.get("Errors", ())]

    def _delete_one(self, key: str) -> None:
        try:
            self._call(
                "delete", key, lambda client: client.delete_object(Bucket=self.name, Key=key)
            )
        except S3NotFound:
            return

    def _call(self, doing: str, key: str, request: Callable[[Any], T]) -> T:
        return self._requests.call(doing, self.url(key), request)


def _sums(body: bytes) -> dict[str, str]:
    """Return what makes the service refuse anything but these bytes."""
    return {"ChecksumSHA256": base64.b64encode(hashlib.sha256(body).digest()).decode("ascii")}


def _cut(pieces: Sequence[Buffer], size: int) -> list[list[memoryview]]:
    """Cut bytes into parts of one size, but the last, without copying them."""
    parts: list[list[memoryview]] = [[]]
    room = size
    for piece in pieces:
        view = memoryview(piece)
        while view:
            if not room:
                parts.append([])
                room = size
            parts[-1].append(view[:room])
            view = view[room:]
            room -= len(parts[-1][-1])
    return parts


def _facts(answer: Mapping[str, Any]) -> Facts:
    span = _CONTENT_RANGE.fullmatch(answer.get("ContentRange", ""))
    return Facts(
        size=int(span[2]) if span else answer["ContentLength"],
        etag=answer.get("ETag", ""),
        content_type=answer.get("ContentType"),
        metadata=answer.get("Metadata"),
        encryption=answer.get("ServerSideEncryption"),
        last_modified=answer.get("LastModified"),
    )


def _start(answer: Mapping[str, Any]) -> int:
    span = _CONTENT_RANGE.fullmatch(answer.get("ContentRange", ""))
    return int(span[1]) if span else 0


def _fill(target: memoryview, body: Any) -> None:
    """Read a whole body; one that is too short raises what a lost connection raises."""
    done = 0
    while done < len(target):
        count = body.readinto(target[done:])
        if not count:
            break
        done += count
    body.close()
    if done < len(target):
        from botocore.exceptions import IncompleteReadError  # noqa: PLC0415 - it is loaded

        raise IncompleteReadError(actual_bytes=done, expected_bytes=len(target))
