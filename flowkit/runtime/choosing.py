"""What a step and its flow ask for about how values are saved."""

from collections.abc import Mapping
from typing import Any

from flowkit.authoring.flowdef import FlowDef
from flowkit.content.saving import Choices
from flowkit.model.manifest import ArtifactRef


def choices_of(flow: FlowDef, step: str, inherited: Mapping[str, ArtifactRef]) -> Choices:
    """Return the choices for what a task of a step assigns.

    Args:
        flow: The flow; a declaration can name the materializer of an attribute.
        step: Name of the step; its options go before declarations.
        inherited: Artifacts that the task starts with: one that it changes is stored as before.
    """
    options = flow.steps[step].options
    given: Any = options.get("output_materializers") or ()
    declared = {
        name: (one.config.materializer,)
        for name, one in flow.declarations.items()
        if one.config is not None and one.config.materializer is not None
    }
    return Choices(
        materializers=() if isinstance(given, Mapping) else given,
        required={**declared, **(given if isinstance(given, Mapping) else {})},
        known={name: ref.materializer for name, ref in inherited.items() if _is_custom(ref)},
        is_shown=options.get("enable_artifact_visualization"),
    )


def _is_custom(ref: ArtifactRef) -> bool:
    """Whether a class of users has stored it: the names of such classes have their module."""
    return "." in ref.materializer
