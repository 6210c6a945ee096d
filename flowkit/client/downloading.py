"""Writing a value to a file that people can open."""

import json
import os
import pickle
import shutil
from pathlib import PurePath
from typing import Any

from flowkit.exceptions import StorageError, UsageError
from flowkit.model.plainvalues import plain


def write_value(value: Any, path: str, *, overwrite: bool) -> str:
    """Write a value to a file; return the file's path.

    Args:
        value: The value; a path is followed, and what it leads to is copied.
        path: Where to. For a value that is a path, a directory means a file in it.
        overwrite: Whether what is there is replaced.

    Raises:
        UsageError: There is something at the path, or the value can't be written like this.
        StorageError: It can't be written.
    """
    if isinstance(value, PurePath) and os.path.isdir(path):
        path = os.path.join(path, value.name)
    if os.path.lexists(path) and not overwrite:
        raise UsageError(f"there is already something at {path}")
    try:
        _write(value, path)
    except OSError as error:
        raise StorageError(f"can't write {path}: {error.strerror or error}") from None
    return os.path.abspath(path)


def _write(value: Any, path: str) -> None:
    suffix = os.path.splitext(path)[1].lower()
    if isinstance(value, PurePath):
        copy = shutil.copytree if os.path.isdir(value) else shutil.copyfile
        copy(value, path)
    elif isinstance(value, str):
        _write_bytes(value.encode(), path)
    elif isinstance(value, bytes | bytearray | memoryview):
        _write_bytes(bytes(value), path)
    elif suffix == ".csv" and hasattr(value, "to_csv"):
        value.to_csv(path)
    elif suffix == ".parquet" and hasattr(value, "to_parquet"):
        value.to_parquet(path)
    elif suffix == ".json":
        _write_bytes(json.dumps(plain(value), indent=2).encode(), path)
    elif suffix in ("", ".pkl", ".pickle"):
        _write_bytes(pickle.dumps(value), path)
    else:
        kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
        raise UsageError(f"a {kind} can't be written as {suffix}: use .json or .pkl")


def _write_bytes(data: bytes, path: str) -> None:
    with open(path, "wb") as file:
        file.write(data)
