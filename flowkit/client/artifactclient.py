"""``Client``: everything about named artifacts in one object, from finding to deleting them."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

from flowkit import plugins
from flowkit.client.artifactsearch import ArtifactSearch
from flowkit.client.artifactversions import (
    ArtifactVersion,
)
from flowkit.client.objects import DataArtifact
from flowkit.client.publishing import Publishing, named, published
from flowkit.client.referenced import refer
from flowkit.client.selecting import each_name
from flowkit.enums import ArtifactType
from flowkit.exceptions import NotFoundError, UsageError
from flowkit.model.pathspec import parse_pathspec
from flowkit.model.plainvalues import plain_values

_PATHS = "flowkit.materializers.paths:PathMaterializer"


class Client(ArtifactSearch):
    """Finds, makes and changes versions of named artifacts, in the store that is current.

    Example::

        client = Client()
        model = client.get_artifact_version("trained_model:production").load()
        client.list_artifact_versions(name="trained_model", run_metadata=["accuracy:gte:0.9"])
    """

    def save_artifact(  # noqa: PLR0913 - what a version is made of
        self,
        value: Any,
        name: str,
        version: str | int | None = None,
        *,
        tags: Iterable[str] = (),
        artifact_type: ArtifactType | str | None = None,
        metadata: Mapping[str, Any] | None = None,
        materializer: Any = None,
    ) -> ArtifactVersion:
        """Make a version of a value that no task has made, and return it.

        Args:
            value: The value.
            name: Name of the artifact.
            version: Text or number of the version; the next number when omitted.
            tags: Its tags.
            artifact_type: What it is to its users; told from its type when omitted.
            metadata: Its metadata, beside what is known of the value.
            materializer: Class that stores the value.

        Raises:
            VersionExistsError: The version exists with other content, or was deleted.
            UnpicklableArtifactException: The value can't be stored.
        """
        wanted = Publishing(name, version, tags, artifact_type, metadata, materializer)
        return self._wrap(published(self._session, value, wanted))

    def publish_artifact(
        self,
        artifact: DataArtifact | str,
        name: str,
        version: str | int | None = None,
        *,
        tags: Iterable[str] = (),
        artifact_type: ArtifactType | str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> ArtifactVersion:
        """Make a version of what a task has left, and return it; no byte is copied.

        Args:
            artifact: The artifact, or its pathspec: "Train/12/fit/7/model".
            name: Name of the named artifact.
            version: As for `save_artifact`, like the others.
            tags: Its tags.
            artifact_type: What it is to its users.
            metadata: Its metadata, beside what is known of the value.

        Raises:
            VersionExistsError: The version exists with other content, or was deleted.
            DataMissingError: The value's bytes are gone.
        """
        found = self.find(artifact) if isinstance(artifact, str) else artifact
        if isinstance(found, ArtifactVersion):
            raise UsageError(f"{found} is a version already: give a task's artifact")
        wanted = Publishing(name, version, tags, artifact_type, metadata)
        made = named(self._session, found.stored, wanted, found.id, found.producer)
        return self._wrap(made)

    def load_artifact(self, name_id_or_prefix: str, version: str | int | None = None) -> Any:
        """Return the value of a version; see `get_artifact_version`."""
        return self.get_artifact_version(name_id_or_prefix, version).load()

    def upload_file(self, path: str, name: str, **options: Any) -> ArtifactVersion:
        """Make a version of a file or directory, which is copied; it loads as a path.

        Args:
            path: Where it is.
            name: Name of the artifact.
            options: As for `save_artifact`.
        """
        from pathlib import Path  # noqa: PLC0415 - only here

        found = Path(path)
        if not found.exists():
            raise NotFoundError(f"there is no file or directory {path}")
        return self.save_artifact(found, name, materializer=plugins.load(_PATHS), **options)

    def register_artifact(
        self, path: str, name: str, *, fingerprint: str = "sha256", **options: Any
    ) -> ArtifactVersion:
        """Make a version of data that stay where they are.

        It loads as their path, after a look whether they are still what they were.

        Args:
            path: A file or directory.
            name: Name of the artifact.
            fingerprint: How data are told from others: "sha256" or "size+mtime".
            options: As for `save_artifact`.
        """
        return self.save_artifact(refer(path, fingerprint), name, **options)

    def update_artifact_version(
        self,
        name_id_or_prefix: str,
        version: str | int | None = None,
        *,
        add_tags: Sequence[str] = (),
        remove_tags: Sequence[str] = (),
    ) -> ArtifactVersion:
        """Change the tags of a version and return it."""
        found = self._find(name_id_or_prefix, version)
        self._write(lambda to: to.change_tags(found.id, add_tags, remove_tags))
        return self.get_artifact_version(found.id)

    def log_metadata(
        self,
        metadata: Mapping[str, Any],
        *,
        artifact_name: str | None = None,
        artifact_version: str | int | None = None,
        run: str | None = None,
    ) -> None:
        """Add to the metadata of a version, or of a run: "Train/12".

        Raises:
            NotFoundError: There is none.
        """
        if artifact_name is not None:
            subject = self._find(artifact_name, artifact_version).id
        else:
            subject = str(parse_pathspec(run or "", 2))
            self.get_pipeline_run(subject)
        values, _ = plain_values(metadata)
        self._write(lambda to: to.annotate(subject, values, self._session.user))

    def delete_artifact_version(
        self, name_id_or_prefix: str, version: str | int | None = None, *, force: bool = False
    ) -> None:
        """Delete a version: its number is never used again, its content is freed later.

        Args:
            name_id_or_prefix: As for `get_artifact_version`.
            version: The same.
            force: Also when it is used.

        Raises:
            VersionInUseError: An alias, a run or a task uses it; ``users`` has them.
        """
        found = self._find(name_id_or_prefix, version)
        self._write(lambda to: to.delete(found.id, self._session.user, force=force))

    def prune_artifacts(self, *, dry_run: bool = True) -> list[ArtifactVersion]:
        """Delete the versions that nothing uses and that are not the latest of their name.

        Args:
            dry_run: Only say which ones.

        Returns:
            The versions that were, or would be, deleted.
        """
        latest = {one.name: one.latest for one in each_name(self._session.metadata.versions)}
        found = [
            one
            for one in self.list_artifact_versions(only_unused=True)
            if latest.get(one.name) != one.version
        ]
        if not dry_run:
            for one in found:
                self.delete_artifact_version(one.id)
        return found

    def _write(self, change: Callable[[Any], Any]) -> Any:
        with closing(self._session.writer()) as writer:
            return change(writer.versions)
