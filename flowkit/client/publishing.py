"""Values on their way to become versions, outside of runs: stored, described, published."""

from collections.abc import Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from flowkit.client.session import Session
from flowkit.content.presence import keep_version
from flowkit.content.saving import Choices
from flowkit.enums import ArtifactType
from flowkit.exceptions import DataMissingError, UnpicklableArtifactException, UsageError
from flowkit.model.artifactnames import check_name, check_version
from flowkit.model.manifest import ArtifactRef
from flowkit.model.plainvalues import plain_values
from flowkit.model.versions import Producer, Publication, VersionRecord

_VALUE = "value"


@dataclass(frozen=True, slots=True)
class Publishing:
    """What a version shall be, as the arguments of ``save_artifact`` say it."""

    name: str
    version: str | int | None = None
    tags: Iterable[str] = ()
    artifact_type: ArtifactType | str | None = None
    metadata: Mapping[str, Any] | None = None
    materializer: Any = None


def published(session: Session, value: Any, wanted: Publishing) -> VersionRecord:
    """Make a version of a value that no task has made, and return it.

    Raises:
        InvalidNameError: The name or the version can't be one.
        UnpicklableArtifactException: The value can't be stored.
        VersionExistsError: The version exists with other content, or was deleted.
    """
    required = {} if wanted.materializer is None else {_VALUE: (wanted.materializer,)}
    check_name(wanted.name)  # before anything is stored

    def save() -> Publication:
        saved = session.store.save({_VALUE: value}, choices=Choices(required=required))
        for error in saved.failures.values():
            message = f"artifact '{wanted.name}' can't be stored: {error.__cause__}"
            raise UnpicklableArtifactException(message) from error.__cause__
        return _publication(session, saved.refs[_VALUE], wanted)

    with closing(session.writer()) as writer:
        return keep_version(writer, session.store, session.user, save)


def named(
    session: Session, ref: ArtifactRef, wanted: Publishing, attribute: str, producer: Producer
) -> VersionRecord:
    """Make a version of what a task has left, and return it; no byte is copied.

    Raises:
        InvalidNameError: The name or the version can't be one.
        DataMissingError: The value's bytes are gone.
        VersionExistsError: The version exists with other content, or was deleted.
    """

    def save() -> Publication:
        if session.store.missing(session.store.blobs_of_value(ref)):
            raise DataMissingError(f"the bytes of what is to become '{wanted.name}' are gone")
        return _publication(session, ref, wanted, attribute)

    with closing(session.writer()) as writer:
        return keep_version(writer, session.store, session.user, save, producer)


def _publication(
    session: Session, ref: ArtifactRef, wanted: Publishing, attribute: str = ""
) -> Publication:
    given, _ = plain_values(wanted.metadata or {})
    preview = session.store.preview(ref)
    kind = preview.artifact_type
    if wanted.artifact_type is not None:
        kind = artifact_type_named(wanted.artifact_type)
    return Publication(
        check_name(wanted.name),
        ref,
        None if wanted.version is None else check_version(wanted.version),
        kind,
        tuple(wanted.tags),
        {**preview.summary, **given},
        attribute,
    )


def artifact_type_named(value: ArtifactType | str) -> ArtifactType:
    """Return the type that a value or a name ("MODEL", "ModelArtifact") stands for.

    Raises:
        UsageError: There is no such type.
    """
    for one in ArtifactType:
        if value in (one, one.name, one.value):
            return one
    names = ", ".join(one.name for one in ArtifactType)
    raise UsageError(f"there is no artifact type {value!r}: use one of {names}")
