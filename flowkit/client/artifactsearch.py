"""What can be asked about named artifacts; nothing is changed here."""

from collections.abc import Iterable, Iterator
from typing import Any

from flowkit.client.artifactversions import (
    ArtifactVersion,
    NamedArtifact,
    task_results,
    version_results,
)
from flowkit.client.clientobject import Found, Scope
from flowkit.client.filters import Condition, matcher
from flowkit.client.lineagegraph import Lineage
from flowkit.client.objects import DataArtifact, Run, Task
from flowkit.client.ordering import ordered
from flowkit.client.publishing import artifact_type_named
from flowkit.client.results import Results
from flowkit.client.selecting import each_name, find_version, missing_name, selector_text
from flowkit.client.session import Session, current_session, session_at
from flowkit.client.stack import Stack, StackArtifactStore
from flowkit.enums import ArtifactType, Status
from flowkit.exceptions import UsageError
from flowkit.model.pathspec import parse_pathspec
from flowkit.model.versions import VersionQuery, VersionRecord


class ArtifactSearch:
    """Finds versions of named artifacts, and who made and used them."""

    def __init__(self) -> None:
        self._location = current_session().location

    @property
    def _session(self) -> Session:
        return session_at(self._location)

    @property
    def active_stack(self) -> Stack:
        """Where values and metadata are."""
        session = self._session
        return Stack(StackArtifactStore(session.datastore), session.location)

    # --- finding ----------------------------------------------------------------------------------

    def get_artifact_version(
        self, name_id_or_prefix: str, version: str | int | None = None
    ) -> ArtifactVersion:
        """Return one version.

        Args:
            name_id_or_prefix: A name, "name@version", "name:alias", an id, or its beginning.
            version: Text or number of the version, an alias, "latest" (made last, the default) or
                "highest".

        Raises:
            NotFoundError: There is none; the message says what there is.
        """
        found = self._find(name_id_or_prefix, version)
        return ArtifactVersion(found, self._location, selector_text(name_id_or_prefix, version))

    def find(self, text: str) -> ArtifactVersion | DataArtifact:
        """Return a version, or a task's artifact when the text is its pathspec.

        Args:
            text: As for `get_artifact_version`, or "Flow/run/step/task/artifact".
        """
        if "/" not in text:
            return self.get_artifact_version(text)
        return DataArtifact(text, _found=Found(Scope(self._location, None, is_checked=False)))

    def get_artifact(self, name: str) -> NamedArtifact:
        """Return a named artifact.

        Raises:
            NotFoundError: There is none; the message has names that are near.
        """
        reader = self._session.metadata.versions
        found = reader.name(name)
        if found is None:
            raise missing_name(reader, name)
        return NamedArtifact(found, self._location)

    def list_artifacts(self, name: str | None = None) -> Results[NamedArtifact]:
        """Return the named artifacts, by name.

        Args:
            name: Only the one of this name, or those whose name has this text in it.
        """

        def load() -> Iterator[NamedArtifact]:
            records = each_name(self._session.metadata.versions)
            return (
                NamedArtifact(record, self._location)
                for record in records
                if name is None or name in record.name
            )

        return Results(load, NamedArtifact.to_row)

    def list_artifact_versions(  # noqa: PLR0913 - the filters that guides use
        self,
        name: str | None = None,
        *,
        version: str | int | None = None,
        type: ArtifactType | str | None = None,  # noqa: A002 - the name that guides use
        data_type: str | None = None,
        tags: str | Iterable[str] = (),
        run_metadata: Condition | None = None,
        pipeline_run: str | None = None,
        only_unused: bool = False,
        sort_by: str = "desc:created",
    ) -> Results[ArtifactVersion]:
        """Return versions, newest first.

        Args:
            name: Name of the artifact.
            version: Text or number of the version.
            type: What the artifact is to its users: ``ArtifactType.MODEL``, or "MODEL".
            data_type: Qualified name of the value's type, or its end: "DataFrame".
            tags: Tags that they must have, all of them.
            run_metadata: Conditions such as "accuracy:gte:0.9"; all of them must hold.
            pipeline_run: Pathspec of the run that made them or took them over.
            only_unused: Only those that nothing uses: no task, no alias, no run that pinned them.
            sort_by: "created", "version", "name" or "size", after "asc:" or "desc:".

        Raises:
            UsageError: A condition or the order can't be read.
        """
        matches = matcher(run_metadata)
        made_in = None if pipeline_run is None else self._made_in(pipeline_run)
        query = VersionQuery(
            name=name or "",
            version="" if version is None else str(version),
            artifact_type=None if type is None else artifact_type_named(type),
            tags=(tags,) if isinstance(tags, str) else tuple(tags),
        )

        def wanted(one: ArtifactVersion) -> bool:
            return (
                (data_type is None or _is_type(one.data_type, data_type))
                and (made_in is None or one.id in made_in)
                and matches(one.run_metadata)
                and not (only_unused and self._is_used(one))
            )

        found = version_results(self._session, query, wanted)
        return found if sort_by in ("desc:created", "") else ordered(found, sort_by)

    def list_run_steps(
        self,
        *,
        input_artifact_id: str | None = None,
        name: str | None = None,
        status: Status | str | None = None,
        pipeline_run_id: str | None = None,
    ) -> Results[Task]:
        """Return tasks, also those that took over the result of another one.

        Args:
            input_artifact_id: Only those that have read this version of an artifact.
            name: Only those of this step.
            status: Only those in this state.
            pipeline_run_id: Only those of this run: its pathspec.

        Raises:
            UsageError: Neither a version nor a run is given.
            NotFoundError: There is no such version or run.
        """
        if input_artifact_id is None and pipeline_run_id is None:
            raise UsageError("list_run_steps: give input_artifact_id, or pipeline_run_id")

        def wanted(task: Task) -> bool:
            return (
                (name is None or task.path_components[2] == name)
                and (status is None or task.status == status)
                and (pipeline_run_id is None or task.pathspec.startswith(f"{pipeline_run_id}/"))
            )

        if input_artifact_id is not None:
            consumers = self.get_artifact_version(input_artifact_id).consumers()
            return task_results(lambda: filter(wanted, iter(consumers)))
        run = self.get_pipeline_run(str(pipeline_run_id))
        return task_results(lambda: (task for step in run for task in step if wanted(task)))

    def get_pipeline_run(self, pathspec: str) -> Run:
        """Return a run: "Train/12"."""
        return Run(pathspec, _found=Found(Scope(self._location, None, is_checked=False)))

    def lineage(
        self,
        artifact: ArtifactVersion | DataArtifact | str,
        depth: int | None = None,
        direction: str = "both",
    ) -> Lineage:
        """Return what an artifact was made of and what was made of it.

        Args:
            artifact: A version, a task's artifact, or what `find` finds it by.
            depth: How many tasks to go; None goes to the ends.
            direction: "up", "down" or "both".
        """
        if direction not in ("up", "down", "both"):
            raise UsageError(f"lineage: the direction is up, down or both, not {direction!r}")
        found = self.find(artifact) if isinstance(artifact, str) else artifact
        up = 0 if direction == "down" else depth
        down = 0 if direction == "up" else depth
        return found.lineage(up=up, down=down)

    def openlineage(self, lineage: Lineage) -> list[dict[str, Any]]:
        """Return a lineage as OpenLineage events, one per task."""
        from flowkit.client.openlineage import to_openlineage  # noqa: PLC0415 - rarely needed

        return to_openlineage(lineage, self._session.metadata, self._location)

    # --- inside -----------------------------------------------------------------------------------

    def _find(self, text: str, version: str | int | None = None) -> VersionRecord:
        return find_version(self._session.metadata.versions, text, version)

    def _wrap(self, record: VersionRecord) -> ArtifactVersion:
        return ArtifactVersion(record, self._location)

    def _made_in(self, pathspec: str) -> set[str]:
        address = parse_pathspec(pathspec, 2)
        outputs = self._session.metadata.versions.outputs(address.flow, str(address.run))
        return {output.version.id for output in outputs}

    def _is_used(self, version: ArtifactVersion) -> bool:
        versions = self._session.metadata.versions
        task = version.task
        producer = None if task is None else task.pathspec
        return (
            bool(version.aliases)
            or any(use.pathspec != producer for use in versions.uses(version.id))
            or bool(versions.pinned_by(version.id))
        )


def _is_type(found: str, wanted: str) -> bool:
    return found == wanted or found.endswith(f".{wanted}")
