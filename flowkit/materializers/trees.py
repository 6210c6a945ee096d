"""Directories as parcels: the files are parts, the head has their paths."""

import mmap
import os
from collections.abc import Iterator, Sequence
from typing import Any

from flowkit.exceptions import ArtifactUnloadable
from flowkit.materializers.parcels import OUT_OF_BAND_FROM
from flowkit.ports.blobs import Buffer


def read_tree(directory: str) -> tuple[dict[str, Any], list[Buffer]]:
    """Return head and parts of a directory; its large files are mapped, and may be unlinked.

    Raises:
        OSError: Something in it can't be read, or is neither file nor directory.
    """
    files: list[str] = []
    empty: list[str] = []
    for path, is_file in _walk(directory, ""):
        (files if is_file else empty).append(path)
    parts = [_content(os.path.join(directory, path)) for path in files]
    return {"files": files, "empty": empty}, parts


def write_tree(directory: str, head: Any, parts: Sequence[Buffer]) -> None:
    """Write the files of a tree below an empty directory; nobody may change them.

    Raises:
        ArtifactUnloadable: A path leads out of the directory, or there is no file for it.
    """
    if len(head["files"]) != len(parts):
        raise ArtifactUnloadable("its tree has another number of files than contents")
    for path in head["empty"]:
        os.makedirs(os.path.join(directory, _checked(path)), exist_ok=True)
    for path, content in zip(head["files"], parts, strict=True):
        target = os.path.join(directory, _checked(path))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        with open(target, "xb") as file:
            file.write(content)
        os.chmod(target, 0o400)


def _walk(directory: str, below: str) -> Iterator[tuple[str, bool]]:
    """Yield the relative paths of files (True) and of empty directories (False), sorted."""
    with os.scandir(os.path.join(directory, below)) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    if not entries and below:
        yield below, False
    for entry in entries:
        path = f"{below}/{entry.name}" if below else entry.name
        if entry.is_dir(follow_symlinks=False):
            yield from _walk(directory, path)
        elif entry.is_file():
            yield path, True
        else:
            raise OSError(f"{path} is neither a file nor a directory")


def _content(path: str) -> Buffer:
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < OUT_OF_BAND_FROM:
            return file.read()
        return memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))


def _checked(path: str) -> str:
    steps = path.split("/")
    if not all(steps) or ".." in steps or "." in steps or "\0" in path:
        raise ArtifactUnloadable(f"its tree has the path {path!r}")
    return path
