"""A flow's data contract: what it takes, what its steps make, and who reads it."""

from typing import Any

from flowkit.authoring.declarations import Declaration
from flowkit.authoring.externals import ArtifactSelectorType, ExternalArtifact
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


def external_artifacts(flow: FlowDef, dataflow: Dataflow) -> list[dict[str, Any]]:
    """Return what a flow takes from elsewhere as JSON values: which artifacts, and who reads them.

    Args:
        flow: The flow.
        dataflow: What its steps read.
    """
    sources = {name: _source(external) for name, external in flow.externals.items()}
    for name, parameter in flow.parameters.items():
        if isinstance(parameter.kind, ArtifactSelectorType):
            sources[name] = f"--{parameter.name}"
    accesses = dataflow.accesses
    return [
        {
            "attribute": name,
            "source": source,
            "read_in": [step for step, access in accesses.items() if name in access.given],
        }
        for name, source in sources.items()
    ]


def contract_text(flow: FlowDef, dataflow: Dataflow) -> str:
    """Return the contract as people read it, one line per artifact; "" when there is nothing."""
    taken = [_taken_line(row) for row in external_artifacts(flow, dataflow)]
    made = [_line(row) for row in contract(flow, dataflow)]
    parts = {"External artifacts": taken, "Artifacts": made}
    return "\n\n".join(
        "\n".join([title, *(f"    {line}" for line in lines)])
        for title, lines in parts.items()
        if lines
    )


def _source(external: ExternalArtifact) -> str:
    return "a value" if external.selector is None else str(external.selector)


def _taken_line(row: dict[str, Any]) -> str:
    read = ", ".join(row["read_in"]) or "no step"
    return f"{row['attribute']} = {row['source']}  (-> {read})"


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
