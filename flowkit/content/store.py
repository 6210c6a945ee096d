"""Values in, values out: artifacts and manifests on top of a blob store."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowkit.content.hashing import digest_of
from flowkit.content.manifests import encode_manifest, parse_manifest
from flowkit.content.records import RootRecord, parse_record
from flowkit.content.registry import Registry
from flowkit.exceptions import (
    ArtifactUnloadable,
    BlobCorrupted,
    IntegrityError,
    UnpicklableArtifactException,
)
from flowkit.model.manifest import ArtifactRef, Manifest
from flowkit.ports.blobs import BlobStore, Buffer, SupportsMany
from flowkit.ports.materializer import Payload

INLINE_ROOT = 16 * 1024
"""Bytes; a larger root record is a blob of its own."""
INLINE_BUDGET = 1024 * 1024
"""Bytes of root records in one manifest; what comes then is a blob of its own."""
INLINE_ITEM = 512
"""Bytes; a foreach item with a larger root record is a blob of its own."""

_LARGE = 4 * 1024 * 1024  # such a buffer is put alone: the store hashes while it writes
_PENDING = 64 * 1024 * 1024  # bytes of values that wait for their batch to be written


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

    # --- values -------------------------------------------------------------------------------

    def save(self, values: Mapping[str, Any], *, inline_budget: int = INLINE_BUDGET) -> Saved:
        """Store values under their attribute names.

        Args:
            values: Attribute name to value.
            inline_budget: Bytes of root records that may stay in the refs.

        Raises:
            StorageError: The store can't be written; nothing is acknowledged.
        """
        batch = _Batch(self._blobs, INLINE_ROOT, inline_budget)
        names: list[str] = []
        failures: dict[str, UnpicklableArtifactException] = {}
        for name, value in values.items():
            try:
                batch.add(*self._dump(value))
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
        batch = _Batch(self._blobs, INLINE_ITEM, None)
        for index, value in enumerate(values):
            try:
                batch.add(*self._dump(value))
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

    def payload(self, ref: ArtifactRef) -> Payload:
        """Return the serialized value, verified, without rebuilding it."""
        return self._payload(self._record(ref))

    def fingerprint(self, value: Any) -> bytes | None:
        """Return bytes that stay equal while this very object is not changed.

        Comparable within one process only. None if the value can't be dumped: then nobody can
        tell.
        """
        try:
            payload = self._registry.choose(value).dump(value)
        except UnpicklableArtifactException:
            return None
        hasher = hashlib.sha256(payload.inband)
        for buffer in payload.buffers:
            hasher.update(len(buffer).to_bytes(8, "little"))
            hasher.update(buffer)
        return hasher.digest()

    # --- manifests ----------------------------------------------------------------------------

    def put_manifest(self, manifest: Manifest) -> str:
        """Store a manifest and return its digest."""
        return self._blobs.put(encode_manifest(manifest))

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

    def blobs_of(self, manifest_digest: str) -> set[str]:
        """Return the digests of all blobs that a manifest needs, itself included."""
        manifest = self.get_manifest(manifest_digest)
        refs = [*manifest.artifacts.values(), *(frame.item for frame in manifest.frames)]
        if manifest.next is not None and manifest.next.items is not None:
            refs.extend(manifest.next.items)
        needed = {manifest_digest}
        for ref in refs:
            if ref.inline is None:
                needed.add(ref.digest)
            needed.update(digest for digest, _ in self._record(ref).buffers)
        return needed

    # --- inside -------------------------------------------------------------------------------

    def _dump(self, value: Any) -> tuple[str, str, Payload]:
        materializer = self._registry.choose(value)
        return (
            materializer.name,
            self._registry.type_name(type(value)),
            materializer.dump(value),
        )

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


class _Batch:
    """Writes the payloads of many values in few steps: buffers first, then root records.

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
        self._pending: list[tuple[str, str, Payload]] = []
        self._pending_bytes = 0

    def add(self, materializer: str, type_name: str, payload: Payload) -> None:
        """Take a payload; it may be written only later."""
        self._pending.append((materializer, type_name, payload))
        self._pending_bytes += len(payload.inband) + sum(map(len, payload.buffers))
        if self._pending_bytes >= _PENDING:
            self._flush()

    def finish(self) -> list[ArtifactRef]:
        """Write what is left and return a ref for each payload, in order."""
        self._flush()
        return self._refs

    def _flush(self) -> None:
        payloads = [payload for _, _, payload in self._pending]
        buffers = [buffer for payload in payloads for buffer in payload.buffers]
        digests = iter(_put_all(self._blobs, buffers))
        outside: list[bytes] = []
        for materializer, type_name, payload in self._pending:
            listed = tuple((next(digests), len(buffer)) for buffer in payload.buffers)
            record = RootRecord(materializer, type_name, listed, payload.inband)
            root = record.to_bytes()
            inline = root if self._fits(len(root)) else None
            if inline is None:
                outside.append(root)
            ref = ArtifactRef(digest_of(root), materializer, record.type, record.size, inline)
            self._refs.append(ref)
        _put_all(self._blobs, outside)
        self._pending.clear()
        self._pending_bytes = 0

    def _fits(self, size: int) -> bool:
        if size > self._inline_limit:
            return False
        if self._inline_left is None:
            return True
        if size > self._inline_left:
            return False
        self._inline_left -= size
        return True


def _put_all(blobs: BlobStore, datas: Sequence[Buffer]) -> list[str]:
    digests = [blobs.put(data) if len(data) >= _LARGE else "" for data in datas]
    small = [data for data in datas if len(data) < _LARGE]
    if isinstance(blobs, SupportsMany) and len(small) > 1:
        written = iter(blobs.put_many(small))
    else:
        written = map(blobs.put, small)
    return [digest or next(written) for digest in digests]


def _get_all(blobs: BlobStore, digests: Sequence[str]) -> Mapping[str, memoryview]:
    if isinstance(blobs, SupportsMany) and len(digests) > 1:
        return blobs.get_many(digests)
    return {digest: blobs.get(digest) for digest in digests}


def _parsed(digest: str, data: memoryview) -> Manifest:
    try:
        return parse_manifest(data)
    except IntegrityError as error:
        raise IntegrityError(f"blob {digest} is no manifest: {error.message}") from None
