"""What the record of an artifact version says, without its value and its relations."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from flowkit.client.clientobject import local_time
from flowkit.client.session import Session, session_at
from flowkit.content.hashing import digest_of
from flowkit.content.observing import observed
from flowkit.enums import ArtifactType
from flowkit.model.plainvalues import restored
from flowkit.model.versions import VersionRecord


class RecordedVersion:
    """An artifact version as far as its own record goes; versions with one id are equal."""

    def __init__(self, record: VersionRecord, location: str, selector: str = "") -> None:
        self._found = record
        self._location = location
        self._selector = selector

    @property
    def _record(self) -> VersionRecord:
        """What is known of the version; in a step that finds it by name, a read like any other."""
        if self._selector:
            observed(f"record:{self._selector}", record_digest(self._found))
        return self._found

    @property
    def _session(self) -> Session:
        return session_at(self._location)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RecordedVersion) and other.id == self.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __str__(self) -> str:
        return self._found.label

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._record.label!r}, id={self.id!r})"

    @property
    def id(self) -> str:
        """32 hexadecimal characters that no other version has."""
        return self._record.id

    @property
    def name(self) -> str:
        """Name of the artifact."""
        return self._record.name

    @property
    def version(self) -> str:
        """Text of the version: "7", "v1.0"."""
        return self._record.version

    @property
    def number(self) -> int | None:
        """The number that the version stands for; None when it is a word."""
        return self._record.number

    @property
    def digest(self) -> str:
        """SHA-256 of the stored value."""
        return self._record.ref.digest

    @property
    def hash(self) -> str:
        """The same, as guides for other tools call it."""
        return self.digest

    @property
    def content(self) -> str:
        """What equal values share, also where their digests differ."""
        return self._record.ref.identity

    @property
    def size(self) -> int:
        """Bytes of the serialized value."""
        return self._record.ref.size

    @property
    def type(self) -> ArtifactType:
        """What the artifact is to its users."""
        return self._record.artifact_type

    @property
    def data_type(self) -> str:
        """Qualified name of the value's type."""
        return self._record.ref.type

    @property
    def materializer(self) -> str:
        """Stored name of what wrote the value and can load it."""
        return self._record.ref.materializer

    @property
    def uri(self) -> str:
        """Where the value is: the content store, and the digest in it."""
        return f"{self._session.datastore}#{self.digest}"

    @property
    def created(self) -> datetime:
        """When the version was committed, in naive local time."""
        return local_time(self._record.created_at)

    @property
    def user(self) -> str:
        """Who made it."""
        return self._record.user

    @property
    def state(self) -> str:
        """The word "available", or "deleted"."""
        return "available" if self._record.deleted_at is None else "deleted"

    @property
    def tags(self) -> tuple[str, ...]:
        """Its tags, sorted."""
        return self._record.tags

    @property
    def aliases(self) -> tuple[str, ...]:
        """The aliases that point to it, sorted."""
        return self._record.aliases

    @property
    def run_metadata(self) -> Mapping[str, Any]:
        """Its metadata by key: what is known of the value, what was declared, what was logged."""
        return {key: restored(value) for key, value in self._record.metadata.items()}

    @property
    def origin(self) -> str:
        """The word "upload", or "run"."""
        return "upload" if self._record.producer is None else "run"


def record_digest(record: VersionRecord) -> str:
    """Return a digest of all that is known of a version."""
    return digest_of(repr(record).encode())
