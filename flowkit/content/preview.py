"""The preview of an artifact: what is known and shown of a value without rebuilding it.

A preview is one blob of canonical JSON; ``docs/format.md`` has the layout.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowkit.content.hashing import is_digest
from flowkit.enums import ArtifactType
from flowkit.exceptions import IntegrityError
from flowkit.ports.materializer import Visualization

_VERSION = 1
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


@dataclass(frozen=True, slots=True)
class StoredVisualization:
    """A visualization as its record has it: the text itself, or the digest of its bytes.

    ``kind`` and ``title`` are those of `Visualization`; one of ``text`` and ``digest`` is None.
    """

    kind: str
    title: str
    text: str | None = None
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class PreviewRecord:
    """The stored form of a preview.

    Attributes:
        artifact_type: What the value is to its users.
        summary: The automatic metadata, plain values only.
        visualizations: The most telling first.
    """

    artifact_type: ArtifactType
    summary: Mapping[str, Any] = field(default_factory=dict)
    visualizations: tuple[StoredVisualization, ...] = ()

    def to_bytes(self) -> bytes:
        """Return the canonical bytes."""
        shown = [[v.kind, v.title, v.text, v.digest] for v in self.visualizations]
        document = {
            "artifact_type": self.artifact_type.value,
            "summary": self.summary,
            "version": _VERSION,
            "visualizations": shown,
        }
        return _ENCODER.encode(document).encode("ascii")


@dataclass(frozen=True, slots=True)
class Preview:
    """What is known and shown of a value.

    Attributes:
        artifact_type: What the value is to its users.
        summary: The automatic metadata: shape, rows, null counts and the like.
        visualizations: The most telling first.
    """

    artifact_type: ArtifactType
    summary: Mapping[str, Any] = field(default_factory=dict)
    visualizations: tuple[Visualization, ...] = ()


def parse_preview(data: bytes | memoryview) -> PreviewRecord:
    """Parse the bytes of a preview.

    Raises:
        IntegrityError: They are no preview of this version; the message says why.
    """
    try:
        return _to_record(json.loads(bytes(data)))
    except (TypeError, ValueError, KeyError, RecursionError) as error:
        raise IntegrityError(f"a preview is malformed: {error}") from None


def _to_record(document: Any) -> PreviewRecord:
    summary = document["summary"]
    if document["version"] != _VERSION or type(summary) is not dict:
        raise ValueError("its version is unknown, or its summary is no object")
    shown = tuple(_to_visualization(*entry) for entry in document["visualizations"])
    return PreviewRecord(ArtifactType(document["artifact_type"]), summary, shown)


def _to_visualization(
    kind: object, title: object, text: object, digest: object
) -> StoredVisualization:
    if not isinstance(kind, str) or not isinstance(title, str):
        raise TypeError("a kind or title is no string")
    if isinstance(text, str) and digest is None:
        return StoredVisualization(kind, title, text)
    if text is None and is_digest(digest):
        return StoredVisualization(kind, title, None, digest)
    raise TypeError("a visualization has neither a text nor a digest")
