"""What the external artifacts of a run stand for, found all at once before it starts."""

from collections.abc import Mapping
from dataclasses import dataclass

from flowkit.client.filters import matcher
from flowkit.client.lookup import each_run, newest_task
from flowkit.client.selecting import each_version, find_version
from flowkit.client.versionfacts import record_digest
from flowkit.content.store import ArtifactStore
from flowkit.enums import Status
from flowkit.exceptions import FlowkitError, InvalidPathspecError, NotFoundError
from flowkit.model.manifest import ArtifactRef
from flowkit.model.plainvalues import restored
from flowkit.model.selectors import Selector
from flowkit.model.traces import FoundElsewhere
from flowkit.model.versions import Pin, VersionQuery, VersionRecord
from flowkit.ports.metadata import MetadataReader
from flowkit.ports.versions import VersionReader

_LATEST = "latest"
_PARTS = 4


@dataclass(frozen=True, slots=True)
class Resolved:
    """What one external artifact stands for: the pin to keep, and the value."""

    pin: Pin
    ref: ArtifactRef


def resolve(
    metadata: MetadataReader, store: ArtifactStore, selectors: Mapping[str, Selector]
) -> dict[str, Resolved]:
    """Return what each external artifact stands for, by attribute.

    Args:
        metadata: Where versions and runs are.
        store: Where the manifests of tasks are.
        selectors: What is meant, by attribute.

    Raises:
        NotFoundError: Some of them can't be found; the message has all of these.
    """
    found: dict[str, Resolved] = {}
    problems = []
    for attribute, selector in selectors.items():
        try:
            found[attribute] = _resolve(metadata, store, attribute, selector)
        except FlowkitError as error:
            problems.append(f"external artifact '{attribute}': {error}")
    if problems:
        raise NotFoundError("\n".join(problems))
    return found


def _resolve(
    metadata: MetadataReader, store: ArtifactStore, attribute: str, selector: Selector
) -> Resolved:
    if selector.pathspec is not None:
        return _unnamed(metadata, store, attribute, selector.pathspec)
    record = _version(metadata, selector)
    if record.deleted_at is not None:
        raise NotFoundError(f"{record.label} was deleted by {record.deleted_by}")
    pin = Pin(attribute, record.ref.digest, record.id, record.label)
    return Resolved(pin, record.ref)


def _version(metadata: MetadataReader, selector: Selector) -> VersionRecord:
    versions = metadata.versions
    if selector.tag is None and not selector.where:
        return find_version(versions, selector.text, selector.version or selector.alias)
    find_version(versions, selector.text)  # says so when there is no such name
    matches = matcher(selector.where or None)
    tags = () if selector.tag is None else (selector.tag,)
    for record in each_version(versions, VersionQuery(selector.text, tags=tags)):
        if matches({key: restored(value) for key, value in record.metadata.items()}):
            return record
    wanted = f"the tag '{selector.tag}'" if selector.tag else f"metadata {dict(selector.where)}"
    raise NotFoundError(f"artifact '{selector.text}' has no version with {wanted}")


def _unnamed(
    metadata: MetadataReader, store: ArtifactStore, attribute: str, pathspec: str
) -> Resolved:
    parts = pathspec.split("/")
    if len(parts) != _PARTS:
        raise InvalidPathspecError(f"{pathspec!r}: write Flow/run/step/artifact")
    flow, run_id, step, name = parts
    if run_id == _LATEST:
        runs = each_run(metadata, flow)
        run = next((one for one in runs if one.status is Status.SUCCEEDED), None)
    else:
        run = metadata.run(flow, run_id)
    task = None if run is None else newest_task(metadata, run, step)
    if task is None or task.last.manifest is None:
        raise NotFoundError(f"there is no task at {flow}/{run_id}/{step}")
    ref = store.get_manifest(task.last.manifest).artifacts.get(name)
    if ref is None:
        raise NotFoundError(f"there is no artifact '{name}' of {flow}/{run_id}/{step}")
    label = f"{task.flow}/{task.run_id}/{step}/{task.task_id}/{name}"
    return Resolved(Pin(attribute, ref.digest, None, label), ref)


def finds_elsewhere(versions: VersionReader, token: str) -> FoundElsewhere | None:
    """Return what a step would find now at a token: ``version:`` or ``record:`` and a selector."""
    kind, _, selector = token.partition(":")
    try:
        record = find_version(versions, selector)
    except NotFoundError:
        return None
    known = record_digest(record)
    if kind == "version":
        return FoundElsewhere(record.ref.digest, record.ref.identity)
    return FoundElsewhere(known, known)
