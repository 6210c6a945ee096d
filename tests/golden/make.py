"""Writes the golden files; run it only to add one: existing files never change."""

from pathlib import Path

from flowkit.content.codec import encode
from flowkit.content.hashing import digest_of
from flowkit.content.manifests import encode_items, encode_manifest
from flowkit.content.preview import PreviewRecord, StoredVisualization
from flowkit.content.records import RootRecord
from flowkit.enums import ArtifactType
from flowkit.materializers.parcels import pack
from flowkit.model.manifest import ArtifactRef, Frame, Manifest, Read, Transition

HERE = Path(__file__).parent

RAW = b"a raw blob\n"
COMPRESSED = b"the same line again and again\n" * 400
BUFFERS = (RAW, COMPRESSED)
INBAND = b"\x80\x05K\x2a."
RECORD = RootRecord(
    "pickle", "train.Größe", tuple((digest_of(data), len(data)) for data in BUFFERS), INBAND
)
SMALL = RootRecord("pickle", "int", (), INBAND)


def ref_to(record: RootRecord, *, is_inline: bool) -> ArtifactRef:
    """Return a ref to the record."""
    root = record.to_bytes()
    inline = root if is_inline else None
    content = None if is_inline else digest_of(INBAND)
    preview = None if is_inline else digest_of(RAW)
    return ArtifactRef(
        digest_of(root), record.materializer, record.type, record.size, inline, content, preview
    )


ITEMS = (ref_to(SMALL, is_inline=True), ref_to(RECORD, is_inline=False))
MANIFEST = Manifest(
    artifacts={
        "größe": ref_to(RECORD, is_inline=False),
        "answer": ref_to(SMALL, is_inline=True),
    },
    written=("größe", "answer"),
    reads=(Read("attr:x", digest_of(RAW)), Read("attr:missing", None)),
    next=Transition(("work",), "answer", items_blob=digest_of(encode_items(ITEMS))),
    step="train",
    frames=(Frame("start", "size", 2, 3, ref_to(SMALL, is_inline=True)),),
)
END = Manifest()
PREVIEW = PreviewRecord(
    ArtifactType.DATA,
    {"rows": 3, "größe": {"$float": "nan"}},
    (
        StoredVisualization("text", "", "drei Zeilen: ä"),
        StoredVisualization("image/png", "plot", None, digest_of(RAW)),
    ),
)
PARCEL_HEAD = {"order": "C", "größe": [1, None]}
PARCEL = pack(PARCEL_HEAD, [RAW, bytes(100_000), b""])

FILES = {
    "raw.blob": encode(RAW),
    "empty.blob": encode(b""),
    "record.bin": RECORD.to_bytes(),
    "manifest.json": encode_manifest(MANIFEST),
    "items.json": encode_items(ITEMS),
    "end.json": encode_manifest(END),
    "preview.json": PREVIEW.to_bytes(),
    "parcel.bin": PARCEL.inband,
}
"""What this flowkit writes; compared byte for byte."""

if __name__ == "__main__":
    for name, content in {**FILES, "lz4.blob": encode(COMPRESSED)}.items():
        if not (HERE / name).exists():
            (HERE / name).write_bytes(content)
