"""Lineage as OpenLineage events, which catalogues of other makers read."""

from typing import Any

from flowkit.client.lineagegraph import Lineage, LineageNode
from flowkit.exceptions import NotFoundError
from flowkit.ports.metadata import MetadataReader

_PRODUCER = "https://flowkit.dev"
_SCHEMA = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"


def to_openlineage(
    lineage: Lineage, metadata: MetadataReader, namespace: str
) -> list[dict[str, Any]]:
    """Return one OpenLineage event (COMPLETE) per task, with its inputs and outputs.

    Args:
        lineage: The lineage.
        metadata: Where the times of tasks are.
        namespace: Name of the store, which all jobs and datasets are in.
    """
    return [_event(lineage, metadata, node, namespace) for node in lineage.tasks()]


def _event(
    lineage: Lineage, metadata: MetadataReader, node: LineageNode, namespace: str
) -> dict[str, Any]:
    from datetime import UTC, datetime  # noqa: PLC0415 - only for this export
    from uuid import NAMESPACE_URL, uuid5  # noqa: PLC0415

    flow, run_id, step, task_id = node.id.split("/")
    task = metadata.task(flow, run_id, int(task_id))
    if task is None:
        raise NotFoundError(f"task '{node.id}' does not exist")
    at = datetime.fromtimestamp((task.last.finished_at or task.created_at) / 1e6, UTC)
    return {
        "eventType": "COMPLETE",
        "eventTime": at.isoformat(),
        "producer": _PRODUCER,
        "schemaURL": _SCHEMA,
        # OpenLineage wants a UUID; the same task always gets the same one.
        "run": {"runId": str(uuid5(NAMESPACE_URL, f"{namespace}/{node.id}"))},
        "job": {"namespace": namespace, "name": f"{flow}.{step}"},
        "inputs": [_dataset(one, namespace) for one in lineage.before(node.id)],
        "outputs": [_dataset(one, namespace) for one in lineage.after(node.id)],
    }


def _dataset(node: LineageNode, namespace: str) -> dict[str, Any]:
    name, _, version = node.versions[0].partition("@") if node.versions else (node.id, "", "")
    facets = {}
    if version:
        facets["version"] = {
            "_producer": _PRODUCER,
            "_schemaURL": "https://openlineage.io/spec/facets/1-0-1/DatasetVersionDatasetFacet.json",
            "datasetVersion": version,
        }
    return {"namespace": namespace, "name": name, "facets": facets}
