"""Files that stay where they are: their fingerprints, and whether they still fit these."""

import os
from collections.abc import Iterator
from pathlib import Path

from flowkit.exceptions import DataMissingError, IntegrityError, UsageError
from flowkit.model.references import METHODS, DataReference

_PIECE = 1 << 20


def refer(path: str, method: str) -> DataReference:
    """Return a reference to a file or directory.

    Args:
        path: Where it is.
        method: "sha256" or "size+mtime".

    Raises:
        UsageError: There is no such method, or the path is a URL.
        DataMissingError: There is nothing.
    """
    if method not in METHODS:
        raise UsageError(f"unknown fingerprint {method!r}: use one of {', '.join(METHODS)}")
    if "://" in path and not path.startswith("file://"):
        raise UsageError(f"{path} can't be registered: only files and directories can")
    absolute = os.path.abspath(path.removeprefix("file://"))
    fingerprint, size = _fingerprint(absolute, method)
    return DataReference(absolute, method, fingerprint, size)


def checked_path(reference: DataReference) -> Path:
    """Return the path of what was registered, if that is still what it was.

    Raises:
        DataMissingError: It is gone.
        IntegrityError: It was changed since.
    """
    fingerprint, _ = _fingerprint(reference.uri, reference.method)
    if fingerprint != reference.fingerprint:
        raise IntegrityError(f"{reference.uri} was changed since it was registered")
    return Path(reference.uri)


def _fingerprint(path: str, method: str) -> tuple[str, int]:
    from hashlib import sha256  # noqa: PLC0415 - only for what is registered

    hasher, size = sha256(), 0
    try:
        for name, file in _files(path):
            stat = os.stat(file)
            size += stat.st_size
            hasher.update(f"{name}\0{stat.st_size}\0".encode("utf-8", "surrogateescape"))
            if method == "sha256":
                _update(hasher, file)
            else:
                hasher.update(str(stat.st_mtime_ns).encode())
    except FileNotFoundError:
        raise DataMissingError(f"there is no file or directory {path}") from None
    return hasher.hexdigest(), size


def _update(hasher: "object", file: str) -> None:
    with open(file, "rb") as opened:
        while piece := opened.read(_PIECE):
            hasher.update(piece)  # type: ignore[attr-defined]


def _files(path: str) -> Iterator[tuple[str, str]]:
    if not os.path.isdir(path):
        yield "", path
        return
    for directory, names, files in os.walk(path):
        names.sort()
        for name in sorted(files):
            file = os.path.join(directory, name)
            yield os.path.relpath(file, path), file
