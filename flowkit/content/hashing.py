"""Digests: the SHA-256 of bytes as 64 lower-case hexadecimal characters."""

import hashlib
import re
from typing import TypeGuard

from flowkit.ports.blobs import Buffer

_DIGEST = re.compile(r"[0-9a-f]{64}")


def digest_of(data: Buffer) -> str:
    """Return the digest of the bytes."""
    return hashlib.sha256(data).hexdigest()


def is_digest(text: object) -> TypeGuard[str]:
    """Tell whether this is a digest: a string that is safe as the name of a file."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None
