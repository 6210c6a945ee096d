"""Functions for use inside a step: its context, and metadata of what it makes."""

from collections.abc import Mapping
from typing import Any

from flowkit import plugins
from flowkit.authoring.binding import TaskBinding
from flowkit.authoring.current import Current, current, running_task
from flowkit.exceptions import UsageError

_CLIENT = "flowkit.client.artifactclient:Client"


def get_step_context() -> Current:
    """Return `current`, which tells about the task that is running.

    Raises:
        RuntimeError: No task is running.
    """
    if running_task() is None:
        raise RuntimeError("get_step_context() works only in a step of a running flow")
    return current


def log_artifact_metadata(
    metadata: Mapping[str, Any],
    artifact_name: str | None = None,
    artifact_version: str | int | None = None,
) -> None:
    """Add to the metadata of an artifact.

    In a step the metadata are kept when the task is committed, and the artifact may be assigned
    later. Values that JSON lacks (numpy's, dates, data types, NaN, ...) are kept as well as it
    can, and never make a step fail.

    Args:
        metadata: Values by key.
        artifact_name: In a step, the attribute or the artifact's name, the only one that the
            step assigns when omitted; elsewhere the artifact's name.
        artifact_version: A version that is there already; in a step the one in the making when
            omitted, elsewhere the latest one.

    Raises:
        NotFoundError: The step has no such artifact, or there is no such version.
        UsageError: Outside of a step, there is no artifact_name.
    """
    if artifact_version is not None or running_task() is None:
        _log_version(metadata, artifact_name, artifact_version)
    else:
        _binding().annotate(artifact_name, metadata)


def log_metadata(
    metadata: Mapping[str, Any],
    *,
    artifact_name: str | None = None,
    artifact_version: str | int | None = None,
    infer_artifact: bool = False,
    run: str | None = None,
) -> None:
    """Add to the metadata of the task that is running, or of a run or an artifact.

    Args:
        metadata: Values by key, as for `log_artifact_metadata`.
        artifact_name: This artifact's, as for `log_artifact_metadata`.
        artifact_version: Which version of it.
        infer_artifact: Those of the only artifact that the step assigns.
        run: Pathspec of the run, "Train/12"; in a step also the word "current".

    Raises:
        NotFoundError: There is no such artifact or run.
        UsageError: Outside of a step, neither artifact_name nor run is given.
    """
    if artifact_name is not None or infer_artifact:
        log_artifact_metadata(metadata, artifact_name, artifact_version)
    elif running_task() is None:
        if run is None:
            raise UsageError("log_metadata: outside of a step, give artifact_name or run")
        plugins.load(_CLIENT)().log_metadata(metadata, run=run)
    else:
        _binding().log_metadata(_own_run() if run == "current" else run, metadata)


def _log_version(metadata: Mapping[str, Any], name: str | None, version: str | int | None) -> None:
    if name is None:
        raise UsageError("log_artifact_metadata: outside of a step, give artifact_name")
    client = plugins.load(_CLIENT)()
    if running_task() is None:
        client.log_metadata(metadata, artifact_name=name, artifact_version=version)
    else:
        _binding().log_metadata(client.get_artifact_version(name, version).id, metadata)


def _own_run() -> str:
    return f"{current.flow_name}/{current.run_id}"


def _binding() -> TaskBinding:
    task = running_task()
    if task is None:
        raise RuntimeError("no task is running")
    binding: TaskBinding = task.flow.__dict__["__flowkit_task__"]
    return binding
