"""A flow's data contract: what its steps make, of which type and name, and who reads it."""

from typing import Any

from flowkit.authoring.declarations import Declaration
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.typecheck import type_text
from flowkit.graph.dataflow import Dataflow


def contract(flow: FlowDef, dataflow: Dataflow) -> list[dict[str, Any]]:
    """Return the artifacts of a flow as JSON values: the declared ones first.

    Args:
        flow: The flow.
        dataflow: What its steps assign and read.
    """
    accesses = dataflow.accesses
    assigned = [name for access in accesses.values() for name in access.assigned]
    names = dict.fromkeys([*flow.declarations, *assigned])
    return [
        {
            "attribute": name,
            **_identity(flow.declarations.get(name)),
            "made_in": dataflow.writers(name),
            "read_in": [step for step, access in accesses.items() if name in access.reads],
        }
        for name in names
    ]


def contract_text(flow: FlowDef, dataflow: Dataflow) -> str:
    """Return the contract as people read it, one line per artifact; "" when there is nothing."""
    lines = [_line(row) for row in contract(flow, dataflow)]
    return "\n".join(["Artifacts", *(f"    {line}" for line in lines)]) if lines else ""


def _identity(declared: Declaration | None) -> dict[str, Any]:
    config = declared.config if declared else None
    artifact_type = config.artifact_type if config else None
    return {
        "type": type_text(declared.type) if declared else None,
        "name": config.name if config else None,
        "version": config.version if config else None,
        "artifact_type": None if artifact_type is None else str(artifact_type),
        "tags": list(config.tags) if config else [],
    }


def _line(row: dict[str, Any]) -> str:
    kind = f": {row['type']}" if row["type"] else ""
    version = f"@{row['version']}" if row["version"] else ""
    name = f" = {row['name']}{version}" if row["name"] else ""
    made = ", ".join(row["made_in"]) or "no step"
    read = f" -> {', '.join(row['read_in'])}" if row["read_in"] else ""
    return f"{row['attribute']}{kind}{name}  ({made}{read})"
