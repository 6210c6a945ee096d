"""How values are written: all of a task's values in few steps, with their previews beside them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from flowkit.content.hashing import digest_of
from flowkit.content.previewing import Draft, draft
from flowkit.content.records import RootRecord
from flowkit.content.registry import Registry
from flowkit.model.manifest import ArtifactRef
from flowkit.ports.blobs import BlobStore, Buffer, SupportsMany
from flowkit.ports.materializer import Materializer, Payload

INLINE_ROOT = 16 * 1024
"""Bytes; a larger root record is a blob of its own."""

_LARGE = 4 * 1024 * 1024  # such a buffer is put alone: the store hashes while it writes
_PENDING = 64 * 1024 * 1024  # bytes of values that wait for their batch to be written
_SCALARS = frozenset({bool, bytes, complex, float, int, str, type(None)})  # nothing to add to these


@dataclass(frozen=True, slots=True)
class Choices:
    """What was asked for about saving values.

    Attributes:
        materializers: Classes of users that go before all others, for the values of their types.
        required: Attribute name to the classes of which one has to store it.
        known: Attribute name to the stored name of what stored it so far, which goes on.
        is_shown: False saves no visualizations, only descriptions; True also asks objects that
            can show themselves; None does what costs little.
    """

    materializers: Sequence[type] = ()
    required: Mapping[str, Sequence[type]] = field(default_factory=dict)
    known: Mapping[str, str] = field(default_factory=dict)
    is_shown: bool | None = None

    def choose(self, registry: Registry, name: str, value: Any) -> Materializer:
        """Return the materializer for an artifact.

        Raises:
            UnpicklableArtifactException: None of those that were required takes the value.
        """
        if name.startswith("_"):
            return registry.choose_built_in(value)
        if name in self.required:
            return registry.required(value, self.required[name])
        if name in self.known:
            return registry.choose(value, (*self.materializers, self.known[name]))
        return registry.choose(value, self.materializers)


AS_USUAL = Choices()


@dataclass(slots=True)
class Prepared:
    """One value on its way into the store."""

    materializer: str
    type: str
    payload: Payload
    content: Callable[[Sequence[str]], str | None] | None = None
    preview: Draft | None = None


def prepare(registry: Registry, name: str, value: Any, choices: Choices) -> Prepared:
    """Serialize an artifact, and describe it unless its name is an internal one.

    Raises:
        UnpicklableArtifactException: It can't be stored.
    """
    materializer = choices.choose(registry, name, value)
    payload = materializer.dump(value)
    kind = type(value)
    type_name = registry.type_name(kind)
    if kind in _SCALARS and len(payload.inband) <= INLINE_ROOT:
        return Prepared(materializer.name, type_name, payload)
    comparing = registry.compares(materializer)
    content = None if comparing is None else partial(comparing.content_digest, value, payload)
    preview = None
    if not name.startswith("_"):
        preview = _preview(registry, materializer, value, payload, choices)
    return Prepared(materializer.name, type_name, payload, content, preview)


def _preview(
    registry: Registry, materializer: Materializer, value: Any, payload: Payload, choices: Choices
) -> Draft | None:
    """Describe a value unless it is small and shows itself: a preview costs a blob, 1 ms."""
    if not payload.buffers and len(payload.inband) <= INLINE_ROOT:
        peeking = registry.peeks(materializer)
        if peeking is not None and peeking.shows(value):
            return None
    describer = registry.describer(value, materializer, is_asked=choices.is_shown is True)
    if describer is None:
        return None
    return draft(describer, value, is_shown=choices.is_shown is not False)


def prepare_item(registry: Registry, value: Any) -> Prepared:
    """Serialize an item of a foreach, of which there may be very many.

    Raises:
        UnpicklableArtifactException: It can't be stored.
    """
    materializer = registry.choose(value)
    return Prepared(materializer.name, registry.type_name(type(value)), materializer.dump(value))


class Batch:
    """Writes many values in few steps: buffers and previews first, then root records.

    Args:
        blobs: Where to.
        inline_limit: A root record of at most so many bytes may stay inline.
        inline_budget: So many bytes of them together; None does not bound them.
    """

    def __init__(self, blobs: BlobStore, inline_limit: int, inline_budget: int | None) -> None:
        self._blobs = blobs
        self._inline_limit = inline_limit
        self._inline_left = inline_budget
        self._refs: list[ArtifactRef] = []
        self._pending: list[Prepared] = []
        self._pending_bytes = 0

    def add(self, value: Prepared) -> None:
        """Take a value; it may be written only later."""
        self._pending.append(value)
        payload = value.payload
        self._pending_bytes += len(payload.inband) + sum(map(len, payload.buffers))
        if self._pending_bytes >= _PENDING:
            self._flush()

    def finish(self) -> list[ArtifactRef]:
        """Write what is left and return a ref for each value, in order."""
        self._flush()
        return self._refs

    def _flush(self) -> None:
        previews = [value.preview for value in self._pending if value.preview is not None]
        buffers = [buffer for value in self._pending for buffer in value.payload.buffers]
        beside = [blob for preview in previews for blob in (*preview.blobs, preview.record)]
        digests = iter(put_all(self._blobs, [*buffers, *beside]))
        outside: list[bytes] = []
        for value in self._pending:
            own = [next(digests) for _ in value.payload.buffers]
            root, ref = self._to_ref(value, own)
            if ref.inline is None:
                outside.append(root)
            self._refs.append(ref)
        put_all(self._blobs, outside)
        self._pending.clear()
        self._pending_bytes = 0

    def _to_ref(self, value: Prepared, digests: Sequence[str]) -> tuple[bytes, ArtifactRef]:
        payload, preview = value.payload, value.preview
        listed = tuple(zip(digests, map(len, payload.buffers), strict=True))
        record = RootRecord(value.materializer, value.type, listed, payload.inband)
        root = record.to_bytes()
        return root, ArtifactRef(
            digest_of(root),
            value.materializer,
            value.type,
            len(root) + sum(map(len, payload.buffers)),
            root if self._fits(len(root)) else None,
            None if value.content is None else value.content(digests),
            None if preview is None else digest_of(preview.record),
        )

    def _fits(self, size: int) -> bool:
        if size > self._inline_limit:
            return False
        if self._inline_left is None:
            return True
        if size > self._inline_left:
            return False
        self._inline_left -= size
        return True


def put_all(blobs: BlobStore, datas: Sequence[Buffer]) -> list[str]:
    """Store each and return the digests; small ones together where the store can."""
    digests = [blobs.put(data) if len(data) >= _LARGE else "" for data in datas]
    small = [data for data in datas if len(data) < _LARGE]
    if isinstance(blobs, SupportsMany) and len(small) > 1:
        written = iter(blobs.put_many(small))
    else:
        written = map(blobs.put, small)
    return [digest or next(written) for digest in digests]
