"""Parcels: values as a head of plain data and parts of raw bytes; reading one runs no code of it.

``docs/format.md`` has the layout. Materializers that store data and nothing else build on it.
"""

import hashlib
import json
import struct
from collections.abc import Sequence
from typing import Any

from flowkit.exceptions import ArtifactUnloadable
from flowkit.ports.blobs import Buffer
from flowkit.ports.materializer import Payload

OUT_OF_BAND_FROM = 64 * 1024
"""Bytes; a smaller part stays in band, as a blob of its own would cost more."""

_SIZE = struct.Struct("<I")
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


def pack(head: Any, parts: Sequence[Buffer]) -> Payload:
    """Return the payload of a head that JSON can have, and of its parts."""
    buffers: list[Buffer] = []
    inside: list[Buffer] = []
    listed: list[list[int]] = []
    for part in parts:
        is_inside = len(part) < OUT_OF_BAND_FROM
        (inside if is_inside else buffers).append(part)
        listed.append([len(part), int(is_inside)])
    text = _ENCODER.encode([head, listed]).encode("ascii")
    return Payload(b"".join([_SIZE.pack(len(text)), text, *inside]), tuple(buffers))


def unpack(payload: Payload) -> tuple[Any, list[Buffer]]:
    """Return head and parts; every part may be written into.

    Raises:
        ArtifactUnloadable: It is no parcel.
    """
    try:
        head, listed, position = _opened(payload)
        buffers = iter(payload.buffers)
        parts: list[Buffer] = []
        for size, is_inside in listed:
            if is_inside:
                part: Buffer = bytearray(payload.inband[position : position + size])
                position += size
            else:
                part = writable(next(buffers))
            if len(part) != size:
                raise ValueError(f"a part of {size} bytes has {len(part)}")  # noqa: TRY301
            parts.append(part)
    except (TypeError, ValueError, struct.error, StopIteration, RecursionError) as error:
        raise ArtifactUnloadable(f"its parcel is malformed: {error}") from error
    return head, parts


def parcel_digest(payload: Payload, digests: Sequence[str]) -> str:
    """Return a digest of head and parts that does not depend on where the parts lie.

    Args:
        payload: What `pack` returned.
        digests: Of the payload's buffers.
    """
    head, listed, position = _opened(payload)
    outside = iter(digests)
    parts = []
    for size, is_inside in listed:
        if is_inside:
            parts.append(hashlib.sha256(payload.inband[position : position + size]).hexdigest())
            position += size
        else:
            parts.append(next(outside))
    return head_digest(head, parts)


def head_digest(head: Any, digests: Sequence[str]) -> str:
    """Return the digest of a head and of the digests of its parts."""
    text = _ENCODER.encode([head, list(digests)])
    return hashlib.sha256(b"fk1" + text.encode("ascii")).hexdigest()


def writable(buffer: Buffer) -> Buffer:
    """Return the buffer, or a copy if it can't be written into."""
    return bytearray(buffer) if memoryview(buffer).readonly else buffer


def _opened(payload: Payload) -> tuple[Any, list[list[int]], int]:
    (size,) = _SIZE.unpack_from(payload.inband)
    position = _SIZE.size + size
    head, listed = json.loads(payload.inband[_SIZE.size : position])
    return head, listed, position
