"""Versions of named artifacts as people look at them, and the names that they are versions of."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

from flowkit.client.clientobject import Found, Scope, local_time
from flowkit.client.objects import Run, Step, Task
from flowkit.client.referenced import checked_path
from flowkit.client.results import Results
from flowkit.client.selecting import each_version, find_version
from flowkit.client.session import Session, session_at
from flowkit.client.storedvalue import StoredValue
from flowkit.client.versionfacts import RecordedVersion
from flowkit.content.observing import observed
from flowkit.exceptions import (
    ArtifactCorrupted,
    ArtifactUnloadable,
    BlobMissing,
    DataMissingError,
    IntegrityError,
    NotFoundError,
    UsageError,
)
from flowkit.model.plainvalues import plain_values
from flowkit.model.references import DataReference
from flowkit.model.versions import NameRecord, VersionQuery

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from flowkit.client.differ import Difference
    from flowkit.client.lineagegraph import Lineage
    from flowkit.content.preview import Preview
    from flowkit.model.versions import AliasMove


class ArtifactVersion(RecordedVersion, StoredValue):
    """One version of a named artifact; `Client` finds it.

    What it is never changes; tags, metadata and aliases do, and are read anew by the methods that
    change them.

    Example::

        version = Client().get_artifact_version("customer_data", version="v1.0")
        frame = version.load()
        version.consumers()
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return version_with_id, (self.id, self._location)

    # --- changing it ------------------------------------------------------------------------------

    def tag(self, *tags: str) -> None:
        """Add tags."""
        self._change(lambda writer: writer.change_tags(self.id, tags, ()))

    def untag(self, *tags: str) -> None:
        """Remove tags."""
        self._change(lambda writer: writer.change_tags(self.id, (), tags))

    def alias(self, alias: str) -> None:
        """Let an alias point to this version, wherever it points to now."""
        user = self._session.user
        self._change(lambda writer: writer.move_alias(self.name, alias, self.id, user))

    def log_metadata(self, metadata: Mapping[str, Any] | None = None, /, **more: Any) -> None:
        """Add to the metadata; of one key, what was logged last counts."""
        values, _ = plain_values({**(metadata or {}), **more})
        self._change(lambda writer: writer.annotate(self.id, values, self._session.user))

    def _change(self, change: Callable[[Any], object]) -> None:
        with closing(self._session.writer()) as writer:
            change(writer.versions)
        self._found = find_version(self._session.metadata.versions, self._found.id)

    # --- the value --------------------------------------------------------------------------------

    def load(self) -> Any:
        """Return the value, verified against its digest; in a step this is a read like any other.

        Of data that were registered, the path is returned, if they are still what they were.

        Raises:
            DataMissingError: The version was deleted, or its bytes are gone.
            ArtifactCorrupted: Its stored bytes are damaged, or the registered data were changed.
            ArtifactUnloadable: This environment can't rebuild it.
        """
        record = self._found
        if record.deleted_at is not None:
            raise DataMissingError(f"{self} was deleted by {record.deleted_by}")
        observed(f"artifact:{record.id}", record.ref.digest)
        try:
            value = self._session.store.load(record.ref)
            return checked_path(value) if isinstance(value, DataReference) else value
        except IntegrityError as error:
            raise ArtifactCorrupted(f"{self} is damaged: {error.message}") from error
        except BlobMissing as error:
            raise DataMissingError(f"{self} is gone: {error.message}") from error
        except ArtifactUnloadable as error:
            raise ArtifactUnloadable(f"{self} can't be loaded: {error.message}") from error

    @property
    def preview(self) -> Preview:
        """What is known and shown of the value; nothing is unpickled for it."""
        return self._session.store.preview(self._record.ref)

    # --- where it comes from and goes to ----------------------------------------------------------

    @property
    def task(self) -> Task | None:
        """The task that made it; None for uploads."""
        producer = self._record.producer
        return None if producer is None else self._task(producer.pathspec)

    @property
    def step(self) -> Step | None:
        """The step that made it; None for uploads."""
        producer = self._record.producer
        if producer is None:
            return None
        pathspec = f"{producer.flow}/{producer.run_id}/{producer.step}"
        return Step(pathspec, _found=Found(self._scope))

    @property
    def run(self) -> Run | None:
        """The run that made it; None for uploads."""
        producer = self._record.producer
        if producer is None:
            return None
        return Run(f"{producer.flow}/{producer.run_id}", _found=Found(self._scope))

    def consumers(self) -> Results[Task]:
        """Return the tasks that have read it, oldest first, in any run."""
        versions = self._session.metadata.versions
        return task_results(lambda: (self._task(u.pathspec) for u in versions.uses(self.id)))

    def lineage(self, *, up: int | None = None, down: int | None = None) -> Lineage:
        """Return what it was made of and what was made of it.

        Args:
            up: How many tasks to go back; None goes to the beginning.
            down: How many tasks to follow; None goes to the end.
        """
        from flowkit.client.lineage import trace  # noqa: PLC0415 - rarely needed

        return trace(self._session.metadata, self._record, up=up, down=down)

    def _task(self, pathspec: str) -> Task:
        return Task(pathspec, _found=Found(self._scope))

    @property
    def _scope(self) -> Scope:
        # Names of artifacts are the same for everybody, whoever's runs made them.
        return Scope(self._location, None, is_checked=False)

    # --- other versions ---------------------------------------------------------------------------

    def versions(self) -> Results[ArtifactVersion]:
        """Return all versions of the artifact, newest first."""
        return version_results(self._session, VersionQuery(self.name))

    def previous(self) -> ArtifactVersion | None:
        """Return the version of the artifact that was made before this one."""
        query = VersionQuery(self.name)
        reader = self._session.metadata.versions
        found = reader.versions(query, before=self._record.key, limit=1)
        return ArtifactVersion(found[0], self._location) if found else None

    def diff(self, other: StoredValue | str | int | None = None) -> Difference:
        """Return what differs between another version, and this one.

        Args:
            other: A version, the text of one of this artifact, or a task's artifact; the previous
                version when omitted.

        Raises:
            UsageError: There is no previous one.
        """
        return self.difference_from(self._other(other))

    def _other(self, other: StoredValue | str | int | None) -> StoredValue:
        if isinstance(other, StoredValue):
            return other
        if other is None:
            previous = self.previous()
            if previous is None:
                raise UsageError(f"{self} is the first version: there is nothing to compare with")
            return previous
        reader = self._session.metadata.versions
        return ArtifactVersion(find_version(reader, self.name, other), self._location)


class NamedArtifact:
    """A named artifact: what its versions have in common."""

    def __init__(self, record: NameRecord, location: str) -> None:
        self._record = record
        self._location = location

    @property
    def name(self) -> str:
        """Its name."""
        return self._record.name

    @property
    def latest_version(self) -> str | None:
        """Text of the version that was made last."""
        return self._record.latest

    def versions(self) -> Results[ArtifactVersion]:
        """Return its versions, newest first."""
        return version_results(session_at(self._location), VersionQuery(self.name))

    @property
    def alias_history(self) -> Sequence[AliasMove]:
        """Every move of every alias of the artifact, oldest first."""
        return session_at(self._location).metadata.versions.alias_moves(self.name)

    def remove_alias(self, alias: str) -> None:
        """Take an alias away.

        Raises:
            NotFoundError: There is no such alias.
        """
        session = session_at(self._location)
        if session.metadata.versions.at_alias(self.name, alias) is None:
            raise NotFoundError(f"artifact '{self.name}' has no alias '{alias}'")
        with closing(session.writer()) as writer:
            writer.versions.move_alias(self.name, alias, None, session.user)

    def __getitem__(self, version: str | int) -> ArtifactVersion:
        reader = session_at(self._location).metadata.versions
        return ArtifactVersion(find_version(reader, self.name, version), self._location)

    def __repr__(self) -> str:
        return f"NamedArtifact({self.name!r}, latest={self.latest_version!r})"

    def to_row(self) -> dict[str, Any]:
        """Return what a table says about it."""
        created = local_time(self._record.created_at)
        return {
            "name": self.name,
            "versions": self._record.versions,
            "latest": self.latest_version,
            "created": created,
        }


def version_with_id(version_id: str, location: str) -> ArtifactVersion:
    """Return a version by its id."""
    record = find_version(session_at(location).metadata.versions, version_id)
    return ArtifactVersion(record, location)


def version_results(
    session: Session,
    query: VersionQuery,
    wanted: Callable[[ArtifactVersion], bool] = lambda _: True,
) -> Results[ArtifactVersion]:
    """Return versions, newest first: those of a query that are wanted."""

    def load() -> Any:
        found = each_version(session.metadata.versions, query)
        return filter(wanted, (ArtifactVersion(record, session.location) for record in found))

    return Results(load, version_row)


def version_row(version: ArtifactVersion) -> dict[str, Any]:
    """Return what a table says about a version."""
    return {
        "name": version.name,
        "version": version.version,
        "type": version.type.name,
        "data_type": version.data_type,
        "size": version.size,
        "aliases": version.aliases,
        "tags": version.tags,
        "created": version.created,
        "id": version.id,
    }


def task_results(load: Callable[[], Any]) -> Results[Task]:
    """Return tasks as a list that shows itself as a table."""
    return Results(
        load,
        lambda task: {
            "task": task.pathspec,
            "status": task.status.value,
            "created": task.created_at,
            "cached": task.origin_pathspec is not None,
        },
    )
