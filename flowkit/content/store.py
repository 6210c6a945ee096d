"""Values in, values out: artifacts and manifests on top of a blob store."""

import hashlib
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from flowkit.content.hashing import digest_of
from flowkit.content.manifests import encode_items, encode_manifest, parse_items, parse_manifest
from flowkit.content.preview import Preview, parse_preview
from flowkit.content.previewing import quietly
from flowkit.content.records import RootRecord, parse_record
from flowkit.content.registry import Registry
from flowkit.content.saving import (
    AS_USUAL,
    INLINE_ROOT,
    Batch,
    Choices,
    prepare,
    prepare_item,
)
from flowkit.exceptions import (
    ArtifactUnloadable,
    BlobCorrupted,
    BlobMissing,
    IntegrityError,
    UnpicklableArtifactException,
)
from flowkit.model.artifacttypes import default_type
from flowkit.model.manifest import ArtifactRef, Manifest, Transition
from flowkit.model.plainvalues import plain_values
from flowkit.ports.blobs import BlobStore, Buffer, SupportsFiles, SupportsMany, SupportsRenewal
from flowkit.ports.materializer import Payload, Visualization

INLINE_BUDGET = 1024 * 1024
"""Bytes of root records in one manifest; what comes then is a blob of its own."""
INLINE_ITEM = 512
"""Bytes; a foreach item with a larger root record is a blob of its own."""
_LARGEST_SHOWN = 1024 * 1024  # bytes of a stored value that is read to show it


@dataclass(frozen=True, slots=True)
class Saved:
    """What came of saving some values.

    Attributes:
        refs: By name, in the order given; durable.
        failures: By name: the values that can't be stored, all of them.
    """

    refs: Mapping[str, ArtifactRef]
    failures: Mapping[str, UnpicklableArtifactException]


class ArtifactStore:
    """Saves and loads values; what a method returned is durable.

    Args:
        blobs: Where the bytes lie.
        registry: Knows how values become bytes.
    """

    def __init__(self, blobs: BlobStore, registry: Registry) -> None:
        self._blobs = blobs
        self._registry = registry

    @property
    def files(self) -> SupportsFiles | None:
        """Where files can be kept beside the blobs; None where all users share a home."""
        return self._blobs if isinstance(self._blobs, SupportsFiles) else None

    # --- values -------------------------------------------------------------------------------

    def save(
        self,
        values: Mapping[str, Any],
        *,
        inline_budget: int = INLINE_BUDGET,
        choices: Choices = AS_USUAL,
    ) -> Saved:
        """Store values under their attribute names.

        Args:
            values: Attribute name to value.
            inline_budget: Bytes of root records that may stay in the refs.
            choices: What was asked for: materializers, and whether values are visualized.

        Raises:
            StorageError: The store can't be written; nothing is acknowledged.
        """
        batch = Batch(self._blobs, INLINE_ROOT, inline_budget)
        names: list[str] = []
        failures: dict[str, UnpicklableArtifactException] = {}
        for name, value in values.items():
            try:
                batch.add(prepare(self._registry, name, value, choices))
            except UnpicklableArtifactException as error:
                message = f"cannot store self.{name}: {error.message}"
                failures[name] = UnpicklableArtifactException(message)
                failures[name].__cause__ = error
            else:
                names.append(name)
        return Saved(dict(zip(names, batch.finish(), strict=True)), failures)

    def save_items(self, values: Sequence[Any]) -> list[ArtifactRef]:
        """Store the items of a foreach, small ones inline.

        Raises:
            UnpicklableArtifactException: An item can't be stored; the message has its index.
            StorageError: The store can't be written; nothing is acknowledged.
        """
        batch = Batch(self._blobs, INLINE_ITEM, None)
        for index, value in enumerate(values):
            try:
                batch.add(prepare_item(self._registry, value))
            except UnpicklableArtifactException as error:
                message = f"cannot store item {index} of the foreach: {error.message}"
                raise UnpicklableArtifactException(message) from error
        return batch.finish()

    def load(self, ref: ArtifactRef) -> Any:
        """Return the value.

        Raises:
            BlobMissing: A part of it is not in the store.
            BlobCorrupted: A part of it is not what was written.
            ArtifactUnloadable: This environment can't rebuild it.
        """
        record = self._record(ref)
        try:
            return self._registry.named(record.materializer).load(self._payload(record))
        except ArtifactUnloadable as error:
            raise ArtifactUnloadable(f"cannot load a {record.type}: {error.message}") from error

    def type_name(self, kind: type) -> str:
        """Return the name that refs have for values of a type."""
        return self._registry.type_name(kind)

    def payload(self, ref: ArtifactRef) -> Payload:
        """Return the serialized value, verified, without rebuilding it."""
        return self._payload(self._record(ref))

    def preview(self, ref: ArtifactRef) -> Preview:
        """Return what is known and shown of a value; nothing is unpickled for it.

        What was saved beside the value, or what a small stored value shows of itself. It is empty
        where there is neither.

        Raises:
            BlobMissing: A part of it is not in the store.
            BlobCorrupted: A part of it is not what was written.
            IntegrityError: The blob is no preview.
        """
        if ref.preview is None:
            return self._peek(ref)
        try:
            record = parse_preview(self._blobs.get(ref.preview))
        except BlobMissing:
            return self._peek(ref)
        shown = [
            Visualization(
                v.kind, self._shown(v.kind, v.digest) if v.text is None else v.text, v.title
            )
            for v in record.visualizations
        ]
        return Preview(record.artifact_type, record.summary, tuple(shown))

    def fingerprint(self, value: Any, *, stored_by: str = "") -> bytes | None:
        """Return bytes that stay equal while this very object is not changed.

        Comparable within one process only. None if the value can't be dumped: then nobody can
        tell.

        Args:
            value: The object.
            stored_by: Stored name of the materializer that it was loaded with, to take it again.
        """
        preferred = (stored_by,) if stored_by else ()
        try:
            payload = self._registry.choose(value, preferred).dump(value)
        except UnpicklableArtifactException:
            return None
        hasher = hashlib.sha256(payload.inband)
        for buffer in payload.buffers:
            hasher.update(len(buffer).to_bytes(8, "little"))
            hasher.update(buffer)
        return hasher.digest()

    # --- manifests ----------------------------------------------------------------------------

    def put_manifest(self, manifest: Manifest) -> str:
        """Store a manifest, the list of its foreach items first, and return its digest."""
        taken = manifest.next
        if taken is not None and taken.items is not None:
            listed = self._blobs.put(encode_items(taken.items))
            manifest = replace(manifest, next=replace(taken, items=None, items_blob=listed))
        return self._blobs.put(encode_manifest(manifest))

    def with_items(self, taken: Transition) -> Transition:
        """Return a stored transition with the items of its foreach.

        Raises:
            BlobMissing: Their list is not in the store.
            IntegrityError: It is damaged.
        """
        if taken.items_blob is None:
            return taken
        items = parse_items(self._blobs.get(taken.items_blob))
        return replace(taken, items=items, items_blob=None)

    def get_manifest(self, digest: str) -> Manifest:
        """Return a manifest.

        Raises:
            BlobMissing: It is not in the store.
            IntegrityError: It is damaged (`BlobCorrupted`), or the blob is no manifest.
        """
        return _parsed(digest, self._blobs.get(digest))

    def get_manifests(self, digests: Sequence[str]) -> list[Manifest]:
        """Return each, as `get_manifest` does."""
        found = _get_all(self._blobs, digests)
        return [_parsed(digest, found[digest]) for digest in digests]

    def blobs_of(
        self,
        manifest_digest: str,
        known: MutableMapping[tuple[str, str | None], set[str]] | None = None,
    ) -> set[str]:
        """Return the digests of all blobs that a manifest needs, itself included.

        Args:
            manifest_digest: Digest of the manifest.
            known: What single values need, filled and used: manifests share most of them.

        Raises:
            BlobMissing: A blob that has to be read for that is not in the store.
            IntegrityError: One is damaged.
        """
        manifest = self.get_manifest(manifest_digest)
        refs = [*manifest.artifacts.values(), *(frame.item for frame in manifest.frames)]
        needed = {manifest_digest}
        taken = manifest.next
        if taken is not None and taken.items_blob is not None:
            needed.add(taken.items_blob)
            refs.extend(self.with_items(taken).items or ())
        known = {} if known is None else known
        for ref in refs:
            key = (ref.digest if ref.inline is None else f"inline {ref.digest}", ref.preview)
            if key not in known:
                known[key] = self.blobs_of_value(ref)
            needed |= known[key]
        return needed

    def blobs_of_value(self, ref: ArtifactRef) -> set[str]:
        """Return the digests of all blobs that a value needs, and what shows it.

        Raises:
            BlobMissing: A blob that has to be read for that is not in the store.
            IntegrityError: One is damaged.
        """
        needed = {digest for digest, _ in self._record(ref).buffers}
        if ref.inline is None:
            needed.add(ref.digest)
        if ref.preview is not None:
            needed |= self._blobs_of_preview(ref.preview)
        return needed

    def missing(self, digests: Iterable[str]) -> set[str]:
        """Return those that the store does not have; nothing is read."""
        asked = set(digests)
        return asked - self._blobs.exists(asked)

    def renew(self, collections: int) -> None:
        """Let the store forget copies of blobs that collections of garbage may have deleted."""
        if isinstance(self._blobs, SupportsRenewal):
            self._blobs.renew(collections)

    def delete(self, digests: Iterable[str]) -> None:
        """Delete blobs; those that are not there are skipped."""
        self._blobs.delete(digests)

    # --- inside -------------------------------------------------------------------------------

    def _blobs_of_preview(self, digest: str) -> set[str]:
        try:
            shown = parse_preview(self._blobs.get(digest)).visualizations
        except BlobMissing:
            return {digest}  # nothing is lost with it: the value is complete
        return {digest, *(entry.digest for entry in shown if entry.digest is not None)}

    def _shown(self, kind: str, digest: str | None) -> str | bytes:
        data = b"" if digest is None else bytes(self._blobs.get(digest))
        return data if kind.startswith("image/") else data.decode("utf-8", "replace")

    def _peek(self, ref: ArtifactRef) -> Preview:
        materializer = self._registry.built_in(ref.materializer)
        peeking = None if materializer is None else self._registry.peeks(materializer)
        if peeking is None or ref.size > _LARGEST_SHOWN:
            return Preview(default_type(ref.type))
        peeked = quietly(partial(peeking.peek, self.payload(ref), ref.type))
        if peeked is None:
            return Preview(default_type(ref.type))
        shown = tuple(peeked.visualizations)
        return Preview(default_type(ref.type), plain_values(peeked.summary)[0], shown)

    def _record(self, ref: ArtifactRef) -> RootRecord:
        if ref.inline is None:
            data: Buffer = self._blobs.get(ref.digest)
        else:
            data = ref.inline
            if digest_of(data) != ref.digest:
                message = f"the inline bytes of artifact {ref.digest} have another digest"
                raise BlobCorrupted(message, digest=ref.digest)
        try:
            return parse_record(data)
        except IntegrityError as error:
            message = f"blob {ref.digest} is no artifact: {error.message}"
            raise BlobCorrupted(message, digest=ref.digest) from None

    def _payload(self, record: RootRecord) -> Payload:
        found = _get_all(self._blobs, [digest for digest, _ in record.buffers])
        for digest, size in record.buffers:
            if len(found[digest]) != size:
                message = f"blob {digest} has {len(found[digest])} bytes instead of {size}"
                raise BlobCorrupted(message, digest=digest)
        return Payload(bytes(record.inband), [found[digest] for digest, _ in record.buffers])


def _get_all(blobs: BlobStore, digests: Sequence[str]) -> Mapping[str, memoryview]:
    if isinstance(blobs, SupportsMany) and len(digests) > 1:
        return blobs.get_many(digests)
    return {digest: blobs.get(digest) for digest in digests}


def _parsed(digest: str, data: memoryview) -> Manifest:
    try:
        return parse_manifest(data)
    except IntegrityError as error:
        raise IntegrityError(f"blob {digest} is no manifest: {error.message}") from None
