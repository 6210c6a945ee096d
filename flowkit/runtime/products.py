"""What a running task publishes and logs: collected here, committed with its attempt or never."""

import sys
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from flowkit.authoring.binding import SavedArtifact
from flowkit.authoring.declarations import ArtifactConfig
from flowkit.authoring.flowdef import FlowDef
from flowkit.content.saving import Choices
from flowkit.content.store import ArtifactStore
from flowkit.enums import ArtifactType
from flowkit.exceptions import DefinitionError, NotFoundError
from flowkit.model.artifactnames import check_name, check_version
from flowkit.model.manifest import ArtifactRef, Manifest
from flowkit.model.plainvalues import plain_values
from flowkit.model.tasks import TaskSpec
from flowkit.model.versions import Annotation, Publication
from flowkit.runtime.codedigest import code_digest
from flowkit.runtime.templates import TaskFacts, filled

ONLY_ARTIFACT = ""
"""Stands, in what was logged, for the one artifact that the step turns out to assign."""


@dataclass(slots=True)
class _Kept:
    """One value that ``save_artifact`` has stored already."""

    name: str
    config: ArtifactConfig
    ref: ArtifactRef


@dataclass(slots=True)
class Products:
    """The named artifacts and the metadata of one attempt.

    Attributes:
        definition: The flow.
        spec: The attempt.
        store: Keeps what ``save_artifact`` is given.
        facts: Fills in templates.
        held: Attributes that a join after this step publishes instead.
    """

    definition: FlowDef
    spec: TaskSpec
    store: ArtifactStore
    facts: TaskFacts
    held: frozenset[str] = frozenset()
    _configs: dict[str, ArtifactConfig] = field(default_factory=dict)
    _kept: list[_Kept] = field(default_factory=list)
    _logged: list[tuple[str, dict[str, object]]] = field(default_factory=list)
    _notes: list[Annotation] = field(default_factory=list)

    # --- while the step runs ----------------------------------------------------------------------

    def check_assigned(self, attribute: str) -> None:
        """Raise unless this task may assign a named attribute.

        Raises:
            DefinitionError: Its versions would get into the way of those of the other tasks.
        """
        config = self._config(attribute)
        if config is None or config.name is None or config.is_per_task or not self.spec.key.frames:
            return
        raise DefinitionError(
            f"step '{self.spec.step}': self.{attribute} is the artifact '{config.name}' and is "
            "assigned under a foreach; assign it in the join, or set per_task=True"
        )

    def save(self, saved: SavedArtifact) -> None:
        """Take what ``save_artifact`` was given: a value for itself, or an attribute's identity."""
        declared = self.definition.declarations.get(saved.artifact)
        given = saved.config
        if declared is not None and declared.config is not None:
            given = _over(declared.config, given)
        if saved.is_attribute:
            # Said in the step, for this task: the rule about foreach is for what is declared.
            self._configs[saved.artifact] = replace(given, per_task=True)
            return
        name = given.name or saved.artifact
        wanted = {} if given.materializer is None else {name: (given.materializer,)}
        found = self.store.save({name: saved.value}, choices=Choices(required=wanted))
        for error in found.failures.values():
            raise error
        self._kept.append(_Kept(name, given, found.refs[name]))

    def annotate(
        self, artifact: str | None, values: Mapping[Any, Any], known: Collection[str]
    ) -> None:
        """Take metadata of one of the step's artifacts; None: the only one that it assigns.

        Raises:
            NotFoundError: The step has nothing to do with an artifact of this name.
        """
        attribute = ONLY_ARTIFACT if artifact is None else self._attribute(artifact, known)
        self._logged.append((attribute, self._plain(values)))

    def log(self, subject: str, values: Mapping[Any, Any]) -> None:
        """Take metadata of anything else."""
        self._notes.append(Annotation(subject, self._plain(values)))

    def _attribute(self, artifact: str, known: Collection[str]) -> str:
        if artifact in known or artifact in self._kept_names:
            return artifact
        for attribute, declared in self.definition.declarations.items():
            if artifact in (attribute, declared.artifact):
                return attribute
        for attribute, config in self._configs.items():
            if artifact == config.name:
                return attribute
        raise NotFoundError(
            f"step '{self.spec.step}' has no artifact '{artifact}': it assigns {_listed(known)}"
        )

    def _plain(self, values: Mapping[Any, Any]) -> dict[str, object]:
        plain, unknown = plain_values(values)
        if unknown:
            _warn(f"of metadata of type {', '.join(unknown)} only the repr is kept")
        return plain

    def _config(self, attribute: str) -> ArtifactConfig | None:
        declared = self.definition.declarations.get(attribute)
        return self._configs.get(attribute) or (declared.config if declared else None)

    # --- at the end -------------------------------------------------------------------------------

    def publications(self, manifest: Manifest) -> tuple[Publication, ...]:
        """Return what becomes versions when the attempt, which has succeeded, is committed.

        Raises:
            InvalidNameError: A template was filled in with what no name or version can have.
        """
        metadata = self._metadata(manifest)
        named = []
        for attribute in manifest.written:
            config = self._config(attribute)
            if config is not None and config.name is not None and attribute not in self.held:
                logged = metadata.get(attribute, {})
                ref = manifest.artifacts[attribute]
                named.append(self._publication(config.name, config, ref, logged, attribute))
        kept = [
            self._publication(one.name, one.config, one.ref, metadata.get(one.name, {}))
            for one in self._kept
        ]
        return (*named, *kept)

    def annotations(self, manifest: Manifest, *, is_success: bool) -> tuple[Annotation, ...]:
        """Return the metadata of all but new versions; of a failed task, those of task and run."""
        pathspec = self.spec.pathspec
        about = list(self._notes)
        for attribute, values in self._metadata(manifest).items():
            if attribute == ONLY_ARTIFACT:
                self._warn_of_ambiguity(manifest)
                about.append(Annotation(pathspec, values))
            elif is_success and not self._is_published(attribute, manifest):
                about.append(self._of_artifact(attribute, manifest, values))
        return tuple(about)

    def _of_artifact(
        self, attribute: str, manifest: Manifest, values: Mapping[str, object]
    ) -> Annotation:
        ref = manifest.artifacts.get(attribute)
        if ref is None:
            _warn(f"step '{self.spec.step}' logged metadata of '{attribute}', but didn't assign it")
        digest = "" if ref is None else ref.digest
        return Annotation(f"{self.spec.pathspec}/{attribute}", values, attribute, digest)

    def _is_published(self, attribute: str, manifest: Manifest) -> bool:
        config = self._config(attribute)
        is_named = config is not None and config.name is not None and attribute not in self.held
        return (is_named and attribute in manifest.written) or attribute in self._kept_names

    @property
    def _kept_names(self) -> list[str]:
        return [kept.name for kept in self._kept]

    def _metadata(self, manifest: Manifest) -> dict[str, dict[str, object]]:
        """Return what was logged by attribute, what was meant for the only one in its place."""
        candidates = self._candidates(manifest)
        merged: dict[str, dict[str, object]] = {}
        for attribute, values in self._logged:
            is_clear = attribute != ONLY_ARTIFACT or len(candidates) != 1
            merged.setdefault(attribute if is_clear else candidates[0], {}).update(values)
        return merged

    def _candidates(self, manifest: Manifest) -> list[str]:
        return [*manifest.written, *self._kept_names]

    def _warn_of_ambiguity(self, manifest: Manifest) -> None:
        _warn(
            f"step '{self.spec.step}' made {_listed(self._candidates(manifest))}: metadata logged "
            "without artifact_name are kept for the task"
        )

    def _publication(
        self,
        name: str,
        config: ArtifactConfig,
        ref: ArtifactRef,
        logged: Mapping[str, object],
        attribute: str = "",
    ) -> Publication:
        version = config.version
        preview = self.store.preview(ref)
        kind = config.artifact_type
        return Publication(
            name=check_name(filled(name, self.facts)),
            ref=ref,
            version=None if version is None else check_version(filled(str(version), self.facts)),
            artifact_type=kind if isinstance(kind, ArtifactType) else preview.artifact_type,
            tags=tuple(config.tags),
            metadata={**preview.summary, **self._plain(config.run_metadata), **logged},
            attribute=attribute,
            code="" if version is None else self._code(),
        )

    def _code(self) -> str:
        return code_digest(self.definition.steps[self.spec.step].function)


def _over(declared: ArtifactConfig, given: ArtifactConfig) -> ArtifactConfig:
    """Return a declared config with what was given in the step instead."""
    return ArtifactConfig(
        name=given.name or declared.name,
        version=given.version or declared.version,
        tags=(*declared.tags, *given.tags),
        artifact_type=given.artifact_type or declared.artifact_type,
        run_metadata={**declared.run_metadata, **given.run_metadata},
        materializer=given.materializer or declared.materializer,
        per_task=declared.per_task,
    )


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in sorted(names)) or "none"


def _warn(text: str) -> None:
    sys.stderr.write(f"Warning: {text}\n")
