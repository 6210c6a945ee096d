"""The root record: the small bytes that stand for one artifact; its digest is the artifact's.

``docs/format.md`` has the layout. A record names the large buffers by their digests, so equal
values have equal digests and nothing is ever unpickled to follow a reference.
"""

import struct
from dataclasses import dataclass

from flowkit.exceptions import IntegrityError
from flowkit.ports.blobs import Buffer

_MAGIC = b"FKR1"
_HEAD = struct.Struct("<4sHHIQ")
_BUFFER = struct.Struct("<32sQ")
_MAX_NAME = 1024  # characters; longer type names are cut, they only inform


@dataclass(frozen=True, slots=True)
class RootRecord:
    """One serialized value.

    Attributes:
        materializer: Stored name of what wrote the value.
        type: Qualified name of the value's type.
        buffers: Digest and length in bytes of each buffer, in order.
        inband: The serialized value without its buffers.
    """

    materializer: str
    type: str
    buffers: tuple[tuple[str, int], ...]
    inband: Buffer

    @property
    def size(self) -> int:
        """Bytes of the record and its buffers together."""
        head = _HEAD.size + len(_name(self.materializer)) + len(_name(self.type))
        listed = len(self.buffers) * _BUFFER.size + sum(length for _, length in self.buffers)
        return head + listed + len(self.inband)

    def to_bytes(self) -> bytes:
        """Return the canonical bytes: equal records have equal bytes."""
        materializer, type_name = _name(self.materializer), _name(self.type)
        head = _HEAD.pack(
            _MAGIC, len(materializer), len(type_name), len(self.buffers), len(self.inband)
        )
        listed = [_BUFFER.pack(bytes.fromhex(digest), size) for digest, size in self.buffers]
        return b"".join([head, materializer, type_name, *listed, self.inband])


def parse_record(data: Buffer) -> RootRecord:
    """Parse the bytes of a root record; ``inband`` is a view of ``data``, not a copy.

    Raises:
        IntegrityError: They are no root record.
    """
    view = memoryview(data)
    if len(view) < _HEAD.size:
        raise IntegrityError("a root record is too short")
    magic, materializer_size, type_size, count, inband_size = _HEAD.unpack_from(view)
    if magic != _MAGIC:
        raise IntegrityError("these bytes are no root record of a known version")
    names = _HEAD.size
    buffers = names + materializer_size + type_size
    inband = buffers + count * _BUFFER.size
    if len(view) != inband + inband_size:
        raise IntegrityError(f"a root record of {inband + inband_size} bytes has {len(view)}")
    try:
        materializer = str(view[names : names + materializer_size], "utf-8")
        type_name = str(view[names + materializer_size : buffers], "utf-8")
    except UnicodeDecodeError:
        raise IntegrityError("a name in a root record is not UTF-8") from None
    listed = tuple((raw.hex(), size) for raw, size in _BUFFER.iter_unpack(view[buffers:inband]))
    return RootRecord(materializer, type_name, listed, view[inband:])


def _name(text: str) -> bytes:
    return text[:_MAX_NAME].encode("utf-8", "replace")
