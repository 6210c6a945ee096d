"""Writes PNG images (https://www.w3.org/TR/png-3/), so that no library is needed to see arrays."""

import struct
import zlib
from typing import Any

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_COLOUR_TYPES = {1: 0, 3: 2, 4: 6}  # by the number of channels: grey, RGB, RGBA


def encode_png(pixels: Any) -> bytes:
    """Return the image.

    Args:
        pixels: Array of bytes of shape (height, width, channels); 1, 3 or 4 channels.
    """
    height, width, channels = pixels.shape
    rows = pixels.reshape(height, width * channels)
    scanlines = b"".join(b"\0" + row.tobytes() for row in rows)  # 0: the row is not filtered
    head = struct.pack(">IIBBBBB", width, height, 8, _COLOUR_TYPES[channels], 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(scanlines, 6)), (b"IEND", b""))
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
