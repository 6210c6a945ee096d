"""Data that stays where it is: a value that names it, and what it looked like."""

from dataclasses import dataclass

METHODS = ("sha256", "size+mtime")
"""How a file can be told from another one: by all of its bytes, or by what its directory says."""


@dataclass(frozen=True, slots=True)
class DataReference:
    """A file or directory that was registered, not copied.

    Attributes:
        uri: Its absolute path.
        method: One of `METHODS`.
        fingerprint: What it gave.
        size: Bytes of it.
    """

    uri: str
    method: str
    fingerprint: str
    size: int
