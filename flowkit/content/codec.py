"""The bytes of a stored blob: a header of 64 bytes that says everything, then the payload.

``docs/format.md`` has the layout. The header is as long as a cache line, so that a raw payload
in a mapped file starts where NumPy and Arrow want their memory to start.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from flowkit.exceptions import BlobCorrupted
from flowkit.ports.blobs import Buffer

HEADER_SIZE = 64
_MAGIC = b"FKB1"
_HEADER = struct.Struct("<4sB3xQQ40x")

_COMPRESS_FROM = 16 * 1024  # below it some disk pages at most are saved
_SAMPLE = 64 * 1024
_WORTH_IT = 0.8  # the compressed sample must be smaller than this part of it
_PIECE = 4 * 1024 * 1024  # compressed at once: bounds the memory beside the data itself
_MAX_RATIO = 255  # lz4 can't expand more: a larger claim is damage, and not worth an allocation


class Codec(IntEnum):
    """How a payload is stored; the numbers are part of the format."""

    RAW = 0
    LZ4 = 1


@dataclass(frozen=True, slots=True)
class Header:
    """What a stored blob says about itself.

    Attributes:
        codec: How the payload is stored.
        raw_size: Length of the blob's bytes.
        stored_size: Length of the payload that follows the header.
    """

    codec: Codec
    raw_size: int
    stored_size: int

    def to_bytes(self) -> bytes:
        """Return the 64 bytes of the header."""
        return _HEADER.pack(_MAGIC, self.codec, self.raw_size, self.stored_size)


def parse_header(head: Buffer, file_size: int) -> Header:
    """Parse the header of a stored blob that is ``file_size`` bytes long, header included.

    Raises:
        BlobCorrupted: It is no header, or it does not fit a file of this size.
    """
    if len(head) < HEADER_SIZE:
        raise BlobCorrupted("the file is shorter than its header")
    head = bytes(head[:HEADER_SIZE])
    magic, number, raw_size, stored_size = _HEADER.unpack(head)
    if magic != _MAGIC:
        raise BlobCorrupted("the file does not start like a blob")
    try:
        header = Header(Codec(number), raw_size, stored_size)
    except ValueError:
        raise BlobCorrupted(f"codec {number} is unknown") from None
    if header.to_bytes() != head:
        raise BlobCorrupted("the reserved bytes of the header are not zero")
    if stored_size != file_size - HEADER_SIZE:
        raise BlobCorrupted(
            f"the payload should be {stored_size} bytes long and is {file_size - HEADER_SIZE}"
        )
    if header.codec is Codec.RAW and raw_size != stored_size:
        raise BlobCorrupted("a raw payload's two lengths differ")
    if raw_size > stored_size * _MAX_RATIO:
        raise BlobCorrupted(f"{stored_size} bytes can't hold {raw_size}")
    return header


def choose(data: memoryview) -> Codec:
    """Return the codec that pays for these bytes; three samples decide for large ones."""
    if len(data) < _COMPRESS_FROM:
        return Codec.RAW
    import lz4.frame  # noqa: PLC0415 - a task with small values never needs it

    last = len(data) - _SAMPLE
    starts = (0, last // 2, last) if last > 2 * _SAMPLE else range(0, len(data), _SAMPLE)
    samples = [data[start : start + _SAMPLE] for start in starts]
    packed = sum(len(lz4.frame.compress(sample)) for sample in samples)
    return Codec.LZ4 if packed < _WORTH_IT * sum(map(len, samples)) else Codec.RAW


def payload(data: memoryview, codec: Codec) -> Iterator[Buffer]:
    """Yield the payload in pieces; a raw one is the data itself, not a copy."""
    if codec is Codec.RAW:
        yield data
        return
    import lz4.frame  # noqa: PLC0415 - a task with small values never needs it

    compressor = lz4.frame.LZ4FrameCompressor(block_size=lz4.frame.BLOCKSIZE_MAX4MB)
    yield compressor.begin(len(data))
    for start in range(0, len(data), _PIECE):
        yield compressor.compress(data[start : start + _PIECE])
    yield compressor.flush()


def encode(data: Buffer) -> bytes:
    """Return a whole stored blob: for stores that send it in one piece."""
    view = flat(data)
    codec = choose(view)
    body = b"".join(payload(view, codec))
    return Header(codec, len(view), len(body)).to_bytes() + body


def decode(stored: memoryview) -> memoryview:
    """Return the blob's bytes out of a whole stored blob; a raw payload is not copied.

    The bytes are not compared with a digest here.

    Raises:
        BlobCorrupted: The stored bytes are malformed. No more memory is asked for than the
            payload can really fill.
    """
    header = parse_header(stored[:HEADER_SIZE], len(stored))
    body = stored[HEADER_SIZE:]
    if header.codec is Codec.RAW:
        return body
    return memoryview(_decompress(body, header.raw_size))


def _decompress(body: memoryview, raw_size: int) -> bytearray:
    import lz4.frame  # noqa: PLC0415 - needed only where a blob is compressed

    try:
        claimed = lz4.frame.get_frame_info(body)["content_size"]  # 0 stands for "not known"
        if claimed != raw_size or claimed == 0:
            raise BlobCorrupted("header and lz4 frame differ about the length")
        raw: bytearray
        raw, used = lz4.frame.decompress(body, return_bytearray=True, return_bytes_read=True)
    except (RuntimeError, ValueError) as error:
        raise BlobCorrupted(f"the payload can't be decompressed: {error}") from None
    if len(raw) != raw_size or used != len(body):
        raise BlobCorrupted("the payload does not fill the length that the header gives")
    return raw


def flat(data: Buffer) -> memoryview:
    """Return a view of contiguous data as single bytes, without a copy."""
    view = memoryview(data)
    return view.cast("B") if view.nbytes else memoryview(b"")
