"""The door to named artifacts, inside of steps and outside: declare, save, load, register."""

from collections.abc import Iterable, Mapping
from typing import Any

from flowkit.authoring.current import running_task
from flowkit.authoring.declarations import ArtifactConfig
from flowkit.authoring.externals import ExternalArtifact
from flowkit.authoring.stepcontext import log_artifact_metadata, log_metadata
from flowkit.client.artifactclient import Client
from flowkit.client.artifactversions import ArtifactVersion
from flowkit.enums import ArtifactType

__all__ = [
    "ArtifactConfig",
    "ArtifactVersion",
    "ExternalArtifact",
    "load_artifact",
    "log_artifact_metadata",
    "log_metadata",
    "register_artifact",
    "save_artifact",
]


def save_artifact(  # noqa: PLR0913 - what a version is made of
    value: Any,
    name: str,
    version: str | int | None = None,
    *,
    tags: Iterable[str] = (),
    artifact_type: ArtifactType | str | None = None,
    metadata: Mapping[str, Any] | None = None,
    materializer: Any = None,
) -> ArtifactVersion | None:
    """Make a version of a value; see `Client.save_artifact`.

    In a step it is ``self.save_artifact``: the version is there when the task has succeeded, so
    None is returned.
    """
    options = {
        "version": version,
        "tags": tuple(tags),
        "artifact_type": artifact_type,
        "metadata": metadata,
        "materializer": materializer,
    }
    task = running_task()
    if task is None:
        return Client().save_artifact(value, name, **options)
    task.flow.save_artifact(name, value, **options)
    return None


def load_artifact(name_id_or_prefix: str, version: str | int | None = None) -> Any:
    """Return the value of a version; see `Client.get_artifact_version`.

    In a step this is a read like any other: it is part of the lineage.
    """
    return Client().load_artifact(name_id_or_prefix, version)


def register_artifact(
    path: str, name: str, *, fingerprint: str = "sha256", **options: Any
) -> ArtifactVersion:
    """Make a version of data that stay where they are; see `Client.register_artifact`."""
    return Client().register_artifact(path, name, fingerprint=fingerprint, **options)
