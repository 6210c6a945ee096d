"""The door to what has been run: flows, runs, steps, tasks and their artifacts, read-only."""

from flowkit.client.artifactclient import Client
from flowkit.client.artifactversions import ArtifactVersion, NamedArtifact
from flowkit.client.flows import Flows
from flowkit.client.namespaces import default_namespace, get_namespace, namespace
from flowkit.client.objects import DataArtifact, Flow, Run, Step, Task
from flowkit.client.session import (
    Session,
    current_session,
    default_metadata,
    get_metadata,
    metadata,
    use_session,
)
from flowkit.client.taskdata import TaskData
from flowkit.client.tasks import Metadatum

__all__ = [
    "ArtifactVersion",
    "Client",
    "DataArtifact",
    "Flow",
    "Flows",
    "Metadatum",
    "NamedArtifact",
    "Run",
    "Session",
    "Step",
    "Task",
    "TaskData",
    "current_session",
    "default_metadata",
    "default_namespace",
    "get_metadata",
    "get_namespace",
    "metadata",
    "namespace",
    "use_session",
]
