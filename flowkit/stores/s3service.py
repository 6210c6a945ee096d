"""What the service of an S3 store can do: asked once, and kept in the store's object ``format``.

::

    flowkit content store 1
    conditional put: honoured | ignored | refused

A copy lies beside the local cache, so that a task, which is a process of its own, need not ask.
"""

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from flowkit.access import make_directories, open_file
from flowkit.exceptions import S3BucketNotFound, S3Exception, S3NotFound, S3ObjectChanged
from flowkit.s3client.bucket import Bucket

HONOURED, IGNORED, REFUSED = "honoured", "ignored", "refused"
ABSENT = {"IfNoneMatch": "*"}
"""Arguments of a PUT that must not replace an object."""

_FORMAT = "flowkit content store 1"
_FACT = "conditional put: "


class S3Service:
    """Knows whether the service does a PUT only if its condition holds.

    Nothing may depend on it but costs: a service may honour conditions, and yet let two of several
    simultaneous PUTs win.

    Args:
        bucket: The bucket.
        root: What all keys of the store start with.
        copy: File for the copy.
        options: Further arguments of each PUT.
    """

    def __init__(
        self, bucket: Bucket, root: str, copy: str, options: Mapping[str, Any] | None = None
    ) -> None:
        self._bucket = bucket
        self._key = f"{root}format"
        self._trial = f"{root}tmp/{os.urandom(8).hex()}"
        self._copy = copy
        self._options = options or {}
        self._known: str | None = None

    def is_conditional(self) -> bool:
        """Tell whether conditions are known to be honoured, without any request."""
        if self._known is None:
            self._known = ""
            with contextlib.suppress(OSError), open(self._copy, encoding="ascii") as file:
                self._known = file.read()
        return self._known == HONOURED

    def probe(self) -> str:
        """Return what becomes of a conditional PUT; asks the service unless that was done before.

        Raises:
            S3Exception: The store can't be used; or another program's object is in its place.
        """
        self.is_conditional()
        if not self._known:
            self._known = self._recorded() or self._recording(self._found())
            self._keep_copy(self._known)
        return self._known

    def _recorded(self) -> str:
        try:
            text = bytes(self._bucket.get(self._key)[0]).decode("ascii", "replace")
        except S3BucketNotFound:
            raise
        except S3NotFound:
            return ""
        head, _, fact = text.partition("\n")
        if head != _FORMAT:
            url = self._bucket.url(self._key)
            raise S3Exception(f"{url} names a format that this flowkit doesn't know: {head!r}")
        return fact.removeprefix(_FACT).strip()

    def _recording(self, fact: str) -> str:
        text = f"{_FORMAT}\n{_FACT}{fact}\n"
        self._bucket.put(self._key, [text.encode()], **self._options)
        return fact

    def _found(self) -> str:
        """Try it out: the second of two must not replace the first one."""
        self._bucket.put(
            self._trial, [b"first"], **self._options
        )  # of equal lengths: sizes are compared
        try:
            self._bucket.put(self._trial, [b"other"], **ABSENT, **self._options)
        except S3ObjectChanged:
            is_kept = bytes(self._bucket.get(self._trial)[0]) == b"first"
            return HONOURED if is_kept else IGNORED
        except S3Exception:
            return REFUSED
        else:
            return IGNORED
        finally:
            with contextlib.suppress(S3Exception):  # who may write may not be allowed to delete
                self._bucket.delete([self._trial])

    def _keep_copy(self, fact: str) -> None:
        with contextlib.suppress(OSError):  # then the next process asks again
            make_directories(os.path.dirname(self._copy))
            descriptor = open_file(self._copy, os.O_WRONLY | os.O_TRUNC)
            with open(descriptor, "w", encoding="ascii") as file:
                file.write(fact)
