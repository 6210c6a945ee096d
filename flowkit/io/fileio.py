"""Files and directories by path, for materializers that users write; paths are local ones."""

import glob as _glob
import os
from typing import IO, Any

__all__ = [
    "copy",
    "exists",
    "glob",
    "isdir",
    "listdir",
    "makedirs",
    "open",
    "remove",
]

_open = open


def open(path: str, mode: str = "r") -> IO[Any]:  # noqa: A001 - the guides' name
    """Open a file; text is UTF-8."""
    return _open(path, mode, encoding=None if "b" in mode else "utf-8")


def exists(path: str) -> bool:
    """Tell whether there is such a file or directory."""
    return os.path.exists(path)


def isdir(path: str) -> bool:
    """Tell whether there is such a directory."""
    return os.path.isdir(path)


def listdir(path: str) -> list[str]:
    """Return the names in a directory, sorted."""
    return sorted(os.listdir(path))


def makedirs(path: str) -> None:
    """Make a directory and those above it; one that is there already will do."""
    os.makedirs(path, exist_ok=True)


def glob(pattern: str) -> list[str]:
    """Return the paths that match a pattern, sorted; ``**`` stands for any directories."""
    return sorted(_glob.glob(pattern, recursive=True))


def copy(source: str, target: str, overwrite: bool = False) -> None:
    """Copy a file.

    Raises:
        FileExistsError: There is a target, and it may not be overwritten.
    """
    import shutil  # noqa: PLC0415 - only copying needs it

    if exists(target) and not overwrite:
        raise FileExistsError(f"{target} exists already")
    shutil.copyfile(source, target)


def remove(path: str) -> None:
    """Remove a file."""
    os.remove(path)
