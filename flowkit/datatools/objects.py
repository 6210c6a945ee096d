"""What goes into the S3 client and what comes out of it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple


class S3GetObject(NamedTuple):
    """A part of an object to get.

    Attributes:
        key: Key or URL of the object.
        offset: Of the first byte.
        length: Bytes; None is all up to the end, and a negative one is the last so many bytes.
    """

    key: str
    offset: int | None = None
    length: int | None = None


class S3PutObject(NamedTuple):
    """An object to put, with what is to be known about it.

    Attributes:
        key: Key or URL.
        value: Text or bytes, for `S3.put_many`.
        path: Of the file with the bytes, for `S3.put_files`.
        content_type: MIME type.
        encryption: Server-side encryption, such as "AES256" or "aws:kms".
        metadata: Anything that JSON can express, kept with the object.
    """

    key: str
    value: Any = None
    path: str | None = None
    content_type: str | None = None
    encryption: str | None = None
    metadata: Mapping[str, Any] | None = None


class RangeInfo(NamedTuple):
    """Which part of an object was got.

    Attributes:
        total_size: Bytes of the whole object.
        request_offset: Of the first byte that was got.
        request_length: Bytes that were got.
    """

    total_size: int
    request_offset: int
    request_length: int


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """What S3 says about an object."""

    content_type: str | None
    metadata: Mapping[str, Any] | None
    encryption: str | None
    last_modified: int | None


class S3Object:
    """An object or a prefix in S3; its file, if it was downloaded, lives as long as its `S3`.

    Args:
        url: Where it is.
        root: URL that its key is relative to; None if it has none.
        size: Bytes of the whole object; None for what does not exist and for prefixes.
        path: Of its downloaded bytes.
        info: What is known about it, if it was asked for.
        span: Which part was downloaded, if not the whole.
    """

    def __init__(
        self,
        url: str,
        *,
        root: str | None = None,
        size: int | None = None,
        path: str | None = None,
        info: ObjectInfo | None = None,
        span: RangeInfo | None = None,
    ) -> None:
        self._url = url
        self._root = None if root == url else root
        self._size = size
        self._path = path
        self._info = info
        self._span = span

    @property
    def exists(self) -> bool:
        """Whether there is such an object; a prefix is none."""
        return self._size is not None

    @property
    def downloaded(self) -> bool:
        """Whether its bytes are in a local file."""
        return self._path is not None

    @property
    def url(self) -> str:
        """Its full URL."""
        return self._url

    @property
    def prefix(self) -> str | None:
        """The URL that `key` is relative to; None if the key is the whole URL."""
        return self._root

    @property
    def key(self) -> str:
        """Its key as it was asked for, or relative to `prefix`."""
        if self._root is None:
            return self._url
        return self._url[len(self._root.rstrip("/")) + 1 :].rstrip("/")

    @property
    def path(self) -> str | None:
        """Path of the local file; None if it was not downloaded. Copy it to keep it."""
        return self._path

    @property
    def blob(self) -> bytes | None:
        """Its bytes; None if it was not downloaded."""
        if self._path is None:
            return None
        with open(self._path, "rb") as file:
            return file.read()

    @property
    def text(self) -> str | None:
        """Its bytes as UTF-8; None if it was not downloaded."""
        blob = self.blob
        return None if blob is None else blob.decode("utf-8", errors="replace")

    @property
    def size(self) -> int | None:
        """Bytes of what was downloaded, else of the whole object; None if it does not exist."""
        return self._size if self._path is None else os.path.getsize(self._path)

    @property
    def has_info(self) -> bool:
        """Whether content type, metadata and so on are known."""
        return self._info is not None

    @property
    def metadata(self) -> Mapping[str, Any] | None:
        """What was given when it was put; None if nothing was or it is not known."""
        return None if self._info is None else self._info.metadata

    @property
    def content_type(self) -> str | None:
        """Its MIME type, if known."""
        return None if self._info is None else self._info.content_type

    @property
    def encryption(self) -> str | None:
        """Its kind of server-side encryption, if known."""
        return None if self._info is None else self._info.encryption

    @property
    def last_modified(self) -> int | None:
        """When it was put, in seconds since the epoch, if known."""
        return None if self._info is None else self._info.last_modified

    @property
    def range_info(self) -> RangeInfo | None:
        """Which part was downloaded; None if it was not downloaded."""
        return self._span

    def __str__(self) -> str:
        state = "does not exist" if self._size is None else f"{self._size} bytes"
        where = f", in {self._path}" if self._path else ""
        return f"<S3Object {self._url} ({state}{where})>"

    __repr__ = __str__
