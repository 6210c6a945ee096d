"""The S3 client for users: many objects at once, temporary files, clear errors."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from flowkit.config import load_settings
from flowkit.datatools.files import Download, content
from flowkit.datatools.locations import root_of, url_of
from flowkit.datatools.objects import ObjectInfo, RangeInfo, S3GetObject, S3Object, S3PutObject
from flowkit.exceptions import (
    S3BucketNotFound,
    S3InvalidObject,
    S3InvalidRange,
    S3NotFound,
    S3URLException,
)
from flowkit.ports.blobs import Buffer
from flowkit.s3client.address import SCHEME, split_url
from flowkit.s3client.bucket import Bucket, Facts
from flowkit.s3client.connection import Connection, Endpoint
from flowkit.s3client.requests import Requests, in_parallel

_METADATA = "flowkit-user-attributes"
Key = str | S3GetObject


class S3:
    """A client of S3; what it downloads lies in temporary files that vanish when it is closed.

    With ``run`` or ``s3root`` keys are relative to that place, without them they are full URLs::

        with S3(run=self) as s3:
            url = s3.put("model", weights)

    Args:
        tmproot: Directory for the temporary files; the setting ``tempdir`` by default.
        bucket: With ``run``: instead of the configured bucket.
        prefix: With ``run``: instead of the configured prefix.
        run: ``self`` in a step, or a `Run`: keys are below a place of this run's own.
        s3root: URL that keys are relative to.
        encryption: Server-side encryption of what is put, such as "AES256" or "aws:kms".
        role: ARN of a role to assume.
        session_vars: Further arguments of ``boto3.session.Session``.
        client_params: Further arguments of boto3's ``client("s3")``.
        external_client: A boto3 client to use as it is.

    Raises:
        S3URLException: The arguments don't fit together.
    """

    def __init__(  # noqa: PLR0913 - a signature that users know
        self,
        tmproot: str | None = None,
        bucket: str | None = None,
        prefix: str | None = None,
        run: Any = None,
        s3root: str | None = None,
        encryption: str | None = None,
        *,
        role: str | None = None,
        session_vars: Mapping[str, Any] | None = None,
        client_params: Mapping[str, Any] | None = None,
        external_client: Any = None,
    ) -> None:
        settings = load_settings()
        self._root = root_of(settings, run=run, s3root=s3root, bucket=bucket, prefix=prefix)
        self._encryption = _encryption(encryption) or settings.s3_encryption
        self._tmproot = tmproot or settings.tempdir
        self._directory = ""
        self._files = 0
        endpoint = Endpoint(
            settings.s3_endpoint_url, role, dict(session_vars or {}), dict(client_params or {})
        )
        self._requests = Requests(Connection(endpoint, external_client), settings.s3_retry_seconds)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Delete all temporary files. May be repeated."""
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)
            self._directory = ""

    # --- looking ----------------------------------------------------------------------------------

    def list_paths(self, keys: Iterable[str] | None = None) -> list[S3Object]:
        """List what is one level below each key, a whole path: objects, and prefixes.

        Args:
            keys: Where to look; the client's root by default.
        """
        return self._list(keys, "/")

    def list_recursive(self, keys: Iterable[str] | None = None) -> list[S3Object]:
        """List all objects below each key, a whole path.

        Args:
            keys: Where to look; the client's root by default.
        """
        return self._list(keys, "")

    def info(self, key: str | None = None, return_missing: bool = False) -> S3Object:
        """Return what is known about an object without downloading it.

        Args:
            key: Which one; the client's root by default.
            return_missing: Return one whose ``exists`` is False instead of raising.

        Raises:
            S3NotFound: There is none.
        """
        return self._look(url_of(self._root, key), return_missing)

    def info_many(self, keys: Iterable[str], return_missing: bool = False) -> list[S3Object]:
        """Return what is known about several objects, in order; see `info`."""
        urls = [url_of(self._root, key) for key in keys]
        return in_parallel(lambda url: self._look(url, return_missing), urls)

    # --- getting ----------------------------------------------------------------------------------

    def get(
        self, key: Key | None = None, return_missing: bool = False, return_info: bool = True
    ) -> S3Object:
        """Download an object.

        Args:
            key: Key, URL or `S3GetObject`; the client's root by default.
            return_missing: Return one whose ``exists`` is False instead of raising.
            return_info: Whether to fill in content type, metadata and so on.

        Raises:
            S3NotFound: There is none.
            S3InvalidRange: It has no such range.
        """
        return self._download(key, self._new_path(), return_missing, return_info)

    def get_many(
        self, keys: Iterable[Key], return_missing: bool = False, return_info: bool = True
    ) -> list[S3Object]:
        """Download several objects at a time; return them in order. See `get`."""
        wanted = [(key, self._new_path()) for key in keys]
        return in_parallel(
            lambda item: self._download(item[0], item[1], return_missing, return_info), wanted
        )

    def get_recursive(self, keys: Iterable[str], return_info: bool = False) -> list[S3Object]:
        """Download all objects below each key, a whole path."""
        wanted = [(found, self._new_path()) for found in self.list_recursive(keys)]
        return in_parallel(
            lambda item: self._fetch(item[0].url, item[0].prefix, item[1], return_info), wanted
        )

    def get_all(self, return_info: bool = False) -> list[S3Object]:
        """Download all objects below the client's root.

        Raises:
            S3URLException: The client has no root.
        """
        url_of(self._root, None)
        return self.get_recursive([""], return_info)

    # --- putting ----------------------------------------------------------------------------------

    def put(
        self,
        key: str,
        obj: Any,
        overwrite: bool = True,
        content_type: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> str:
        """Upload text, bytes or what a binary file object has, and return the URL.

        Args:
            key: Key or URL.
            obj: What to upload.
            overwrite: If False, an object that exists already stays as it is.
            content_type: MIME type.
            metadata: Anything that JSON can express.

        Raises:
            S3InvalidObject: It is neither text nor bytes.
        """
        wanted = S3PutObject(key, obj, None, content_type, None, metadata)
        self._upload(wanted, _bytes_of(obj), overwrite)
        return url_of(self._root, key)

    def put_many(
        self, key_objs: Iterable[tuple[str, Any] | S3PutObject], overwrite: bool = True
    ) -> list[tuple[str, str]]:
        """Upload several at a time.

        Args:
            key_objs: Pairs of key and object as for `put`, or `S3PutObject` with a value.
            overwrite: If False, objects that exist already stay as they are.

        Returns:
            Key and URL of each that was uploaded, in order.
        """
        wanted = [o if isinstance(o, S3PutObject) else S3PutObject(*o) for o in key_objs]
        return self._upload_all([(each, _bytes_of(each.value)) for each in wanted], overwrite)

    def put_files(
        self, key_paths: Iterable[tuple[str, str] | S3PutObject], overwrite: bool = True
    ) -> list[tuple[str, str]]:
        """Upload several files at a time.

        Args:
            key_paths: Pairs of key and path, or `S3PutObject` with a path.
            overwrite: If False, objects that exist already stay as they are.

        Returns:
            Key and URL of each that was uploaded, in order.
        """
        wanted = [
            o if isinstance(o, S3PutObject) else S3PutObject(o[0], path=os.fspath(o[1]))
            for o in key_paths
        ]
        return self._upload_all([(each, content(str(each.path))) for each in wanted], overwrite)

    # --- inside -----------------------------------------------------------------------------------

    def _bucket(self, url: str) -> tuple[Bucket, str]:
        bucket, key = split_url(url)
        if not key:
            raise S3URLException(f"{url!r} names a bucket, not an object")
        return Bucket(self._requests, bucket), key

    def _list(self, keys: Iterable[str] | None, delimiter: str) -> list[S3Object]:
        urls = [url_of(self._root, key) for key in ([None] if keys is None else keys)]

        def below(url: str) -> list[S3Object]:
            name, prefix = split_url(url)
            prefix = f"{prefix.rstrip('/')}/" if prefix else ""
            return [
                S3Object(f"{SCHEME}{name}/{each.key}", root=self._root or url, size=each.size)
                for each in Bucket(self._requests, name).listing(prefix, delimiter)
            ]

        return [found for each in in_parallel(below, urls) for found in each]

    def _look(self, url: str, return_missing: bool) -> S3Object:
        bucket, key = self._bucket(url)
        try:
            facts = bucket.facts(key)
        except S3NotFound:
            if return_missing:
                return S3Object(url, root=self._root)
            raise
        return S3Object(url, root=self._root, size=facts.size, info=_info(facts))

    def _new_path(self) -> str:
        """Return a path that no other download of this client has."""
        if not self._directory:
            self._directory = tempfile.mkdtemp(prefix="flowkit.s3.", dir=self._tmproot)
        self._files += 1
        return os.path.join(self._directory, str(self._files))

    def _download(
        self, key: Key | None, path: str, return_missing: bool, return_info: bool
    ) -> S3Object:
        span = _span(key) if isinstance(key, S3GetObject) else None
        url = url_of(self._root, key.key if isinstance(key, S3GetObject) else key)
        try:
            return self._fetch(url, self._root, path, return_info, span)
        except S3BucketNotFound:
            raise
        except S3NotFound:
            if return_missing:
                return S3Object(url, root=self._root)
            raise

    def _fetch(
        self, url: str, root: str | None, path: str, return_info: bool, span: str | None = None
    ) -> S3Object:
        bucket, key = self._bucket(url)
        file = Download(path)
        if span is None:
            _, facts = bucket.get(key, file.allocate)
            got = RangeInfo(facts.size, 0, facts.size)
        else:
            data, start, facts = bucket.get_range(key, span)
            file.write(data)
            got = RangeInfo(facts.size, start, len(data))
        info = _info(facts) if return_info else None
        return S3Object(url, root=root, size=facts.size, path=path, info=info, span=got)

    def _upload(self, wanted: S3PutObject, data: Buffer, overwrite: bool) -> bool:
        bucket, key = self._bucket(url_of(self._root, wanted.key))
        if not overwrite and bucket.exists(key):
            return False
        options: dict[str, Any] = dict(_encryption(wanted.encryption) or self._encryption)
        if wanted.content_type:
            options["ContentType"] = wanted.content_type
        if wanted.metadata:
            options["Metadata"] = {_METADATA: json.dumps(wanted.metadata)}
        bucket.put(key, [data], **options)
        return True

    def _upload_all(
        self, wanted: Sequence[tuple[S3PutObject, Buffer]], overwrite: bool
    ) -> list[tuple[str, str]]:
        urls = [url_of(self._root, each.key) for each, _ in wanted]
        done = in_parallel(lambda item: self._upload(item[0], item[1], overwrite), wanted)
        return [
            (each.key, url)
            for (each, _), url, is_done in zip(wanted, urls, done, strict=True)
            if is_done
        ]


def _bytes_of(value: Any) -> Buffer:
    if isinstance(value, str):
        return value.encode("utf-8")
    if isinstance(value, bytes | bytearray | memoryview):
        return memoryview(value).cast("B") if len(value) else b""
    read = getattr(value, "read", None)
    data = read() if callable(read) else None
    if isinstance(data, bytes):
        return data
    raise S3InvalidObject(f"an object for S3 is str, bytes or a binary file, not {type(value)}")


def _span(wanted: S3GetObject) -> str | None:
    """Return the range of bytes as HTTP writes it; None is the whole object."""
    if wanted.length is not None and wanted.length < 0:
        return f"bytes={wanted.length}"
    if wanted.length == 0 or (wanted.offset or 0) < 0:
        raise S3InvalidRange(f"{wanted} names no bytes")
    start = wanted.offset or 0
    if wanted.length is None:
        return f"bytes={start}-" if start else None
    return f"bytes={start}-{start + wanted.length - 1}"


def _encryption(kind: str | None) -> Mapping[str, str]:
    return {"ServerSideEncryption": kind} if kind else {}


def _info(facts: Facts) -> ObjectInfo:
    stored = (facts.metadata or {}).get(_METADATA)
    when = facts.last_modified
    return ObjectInfo(
        content_type=facts.content_type,
        metadata=None if stored is None else json.loads(stored),
        encryption=facts.encryption,
        last_modified=None if when is None else int(when.timestamp()),
    )
