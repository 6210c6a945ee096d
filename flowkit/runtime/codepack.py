"""The flow's own source files, packed with each run: what ran can be read later."""

import os
import sys
from collections.abc import Iterator

MAX_FILE = 1 << 20
"""Bytes; a larger source file is left out."""
_NOT_OURS = ("site-packages", "dist-packages")


def pack_code(flow_file: str) -> dict[str, str]:
    """Return the sources of the flow file and of the modules below its directory that it imports.

    Args:
        flow_file: Path of the flow file; "" for a flow without one.

    Returns:
        Path relative to the flow file's directory to text, sorted: equal sources, equal package.
    """
    if not flow_file or not os.path.isfile(flow_file):
        return {}
    root = os.path.dirname(os.path.abspath(flow_file))
    paths = {os.path.abspath(flow_file), *_imported_below(root)}
    sources = {os.path.relpath(path, root): _read(path) for path in paths}
    return {path: text for path, text in sorted(sources.items()) if text is not None}


def _imported_below(root: str) -> Iterator[str]:
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if not path or not path.endswith(".py") or not path.startswith(root + os.sep):
            continue
        parts = path[len(root) :].split(os.sep)
        is_hidden = any(part.startswith(".") for part in parts)
        if not is_hidden and not any(part in _NOT_OURS for part in parts):
            yield path


def _read(path: str) -> str | None:
    """Return the text of a source file; None when it can't be had or is too large."""
    try:
        if os.path.getsize(path) > MAX_FILE:
            return None
        with open(path, encoding="utf-8") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return None
