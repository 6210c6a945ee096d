"""Manifests as canonical JSON: equal manifests have equal bytes, and any bytes can be parsed.

``docs/format.md`` has the layout.
"""

import json
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from flowkit.content.hashing import is_digest
from flowkit.exceptions import IntegrityError
from flowkit.model.manifest import ArtifactRef, Frame, Manifest, Read, Transition

_VERSION = 1
_MAX_INTEGER = 2**63 - 1  # what SQL can keep
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)

_T = TypeVar("_T")


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the canonical bytes of a manifest."""
    document = {
        "artifacts": {name: _from_ref(ref) for name, ref in manifest.artifacts.items()},
        "frames": [_from_frame(frame) for frame in manifest.frames],
        "next": _from_transition(manifest.next),
        "reads": [[read.token, read.digest] for read in manifest.reads],
        "step": manifest.step,
        "version": _VERSION,
        "written": manifest.written,
    }
    return _ENCODER.encode(document).encode("ascii")


def parse_manifest(data: bytes | memoryview) -> Manifest:
    """Parse a manifest.

    Raises:
        IntegrityError: The bytes are no manifest of this version; the message says why.
    """
    try:
        document = json.loads(bytes(data))
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"a manifest is not JSON: {error}") from None
    try:
        return _to_manifest(document)
    except (TypeError, ValueError) as error:
        raise IntegrityError(f"a manifest is malformed: {error}") from None


def encode_items(items: Sequence[ArtifactRef]) -> bytes:
    """Return the canonical bytes of the list of a foreach's items."""
    document = {"items": [_from_ref(item) for item in items], "version": _VERSION}
    return _ENCODER.encode(document).encode("ascii")


def stored_ref(row: Any) -> ArtifactRef:
    """Return where the value of a version is.

    Args:
        row: The version, by column.
    """
    inline = None if row["inline"] is None else a2b_base64(row["inline"])
    return ArtifactRef(
        row["digest"],
        row["materializer"],
        row["type"],
        row["size"],
        inline,
        row["content"],
        row["preview"],
    )


def parse_items(data: bytes | memoryview) -> tuple[ArtifactRef, ...]:
    """Parse the list of a foreach's items.

    Raises:
        IntegrityError: The bytes are no such list; the message says why.
    """
    try:
        fields = _object(json.loads(bytes(data)), {"items", "version"})
        return tuple(_list(fields["items"], _to_ref))
    except (TypeError, ValueError, RecursionError) as error:
        raise IntegrityError(f"a list of foreach items is malformed: {error}") from None


def _from_ref(ref: ArtifactRef) -> list[object]:
    inline = ref.inline
    content = None if inline is None else b2a_base64(inline, newline=False).decode("ascii")
    return [
        ref.digest,
        ref.materializer,
        ref.type,
        ref.size,
        content,
        ref.content,
        ref.preview,
    ]


def _from_frame(frame: Frame) -> list[object]:
    return [frame.step, frame.variable, frame.index, frame.num_splits, _from_ref(frame.item)]


def _from_transition(transition: Transition | None) -> dict[str, object] | None:
    if transition is None:
        return None
    return {
        "items": transition.items_blob,
        "num_parallel": transition.num_parallel,
        "targets": transition.targets,
        "variable": transition.variable,
    }


def _to_manifest(document: Any) -> Manifest:
    fields = _object(
        document, {"artifacts", "frames", "next", "reads", "step", "version", "written"}
    )
    if type(fields["version"]) is not int or fields["version"] != _VERSION:
        raise TypeError(f"version {fields['version']!r} is unknown to this flowkit")
    artifacts = fields["artifacts"]
    if type(artifacts) is not dict:
        raise TypeError("artifacts are no object")
    return Manifest(
        {name: _to_ref(ref) for name, ref in artifacts.items()},
        tuple(_list(fields["written"], _string)),
        tuple(_list(fields["reads"], _to_read)),
        _optional(fields["next"], _to_transition),
        _string(fields["step"]),
        tuple(_list(fields["frames"], _to_frame)),
    )


def _to_ref(document: Any) -> ArtifactRef:
    # Written out, as a foreach has very many refs: calling _string and _count takes twice as long.
    if type(document) is not list or len(document) != 7:  # noqa: PLR2004 - the fields below
        raise TypeError("a ref is no list of seven")
    digest, materializer, kind, size, inline, content, preview = document
    if not is_digest(digest):
        raise TypeError("the digest of a ref is none")
    if not (content is None or is_digest(content)) or not (preview is None or is_digest(preview)):
        raise TypeError("the content or preview of a ref is no digest")
    if type(materializer) is not str or type(kind) is not str:
        raise TypeError("a name in a ref is no string")
    if type(size) is not int or not 0 <= size <= _MAX_INTEGER:
        raise TypeError("the size of a ref is no size")
    if inline is None:
        return ArtifactRef(digest, materializer, kind, size, None, content, preview)
    if type(inline) is not str:
        raise TypeError("the inline bytes of a ref are no string")
    root = a2b_base64(inline, strict_mode=True)
    return ArtifactRef(digest, materializer, kind, size, root, content, preview)


def _to_frame(document: Any) -> Frame:
    if type(document) is not list or len(document) != 5:  # noqa: PLR2004 - the fields below
        raise TypeError("a frame is no list of five")
    step, variable, index, num_splits, item = document
    return Frame(
        _string(step),
        _optional(variable, _string),
        _count(index),
        _count(num_splits),
        _to_ref(item),
    )


def _to_read(document: Any) -> Read:
    if type(document) is not list or len(document) != 2:  # noqa: PLR2004 - token and digest
        raise TypeError("a read is no pair")
    token, digest = document
    if digest is not None and not is_digest(digest):
        raise TypeError("the digest of a read is none")
    return Read(_string(token), digest)


def _to_transition(document: Any) -> Transition:
    fields = _object(document, {"items", "num_parallel", "targets", "variable"})
    items = fields["items"]
    if items is not None and not is_digest(items):
        raise TypeError("the items of a foreach are no digest")
    return Transition(
        tuple(_list(fields["targets"], _string)),
        _optional(fields["variable"], _string),
        None,
        _optional(fields["num_parallel"], _count),
        items,
    )


def _object(document: Any, keys: set[str]) -> dict[str, Any]:
    if type(document) is not dict or document.keys() != keys:
        raise TypeError(f"an object should have the fields {sorted(keys)}")
    return document


def _list(document: Any, parse: Callable[[Any], _T]) -> Sequence[_T]:
    if type(document) is not list:
        raise TypeError(f"a list is a {type(document).__name__}")
    return [parse(item) for item in document]


def _optional(document: Any, parse: Callable[[Any], _T]) -> _T | None:
    return None if document is None else parse(document)


def _string(document: Any) -> str:
    if type(document) is not str:
        raise TypeError(f"a string is a {type(document).__name__}")
    return document


def _count(document: Any) -> int:
    if type(document) is not int or not 0 <= document <= _MAX_INTEGER:
        raise TypeError(f"a number is {document!r}")
    return document
