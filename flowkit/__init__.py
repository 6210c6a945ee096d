"""flowkit: data and ML flows as classes.

Names for writing flows are there at once; everything for reading and running is loaded when it is
first used, so that importing flowkit costs little.
"""

from typing import TYPE_CHECKING, Any

from flowkit.authoring.builtin import catch, environment, parallel, resources, retry, timeout
from flowkit.authoring.current import current
from flowkit.authoring.decorators import FlowDecorator, StepDecorator
from flowkit.authoring.flowdecorators import (
    exit_hook,
    project,
    schedule,
    trigger,
    trigger_on_finish,
)
from flowkit.authoring.flowspec import FlowSpec
from flowkit.authoring.parameters import JSONType, JSONTypeClass, Parameter
from flowkit.authoring.seeds import UNSEEDED as _UNSEEDED  # noqa: F401 - taken before user code
from flowkit.authoring.steps import step

if TYPE_CHECKING:
    from flowkit.authoring.secretsources import secrets
    from flowkit.client import (
        DataArtifact,
        Flow,
        Flows,
        Run,
        Step,
        Task,
        default_metadata,
        default_namespace,
        get_metadata,
        get_namespace,
        metadata,
        namespace,
    )

__version__ = "0.1.0"

__all__ = [
    "DataArtifact",
    "Flow",
    "FlowDecorator",
    "FlowSpec",
    "Flows",
    "JSONType",
    "JSONTypeClass",
    "Parameter",
    "Run",
    "Step",
    "StepDecorator",
    "Task",
    "catch",
    "current",
    "default_metadata",
    "default_namespace",
    "environment",
    "exit_hook",
    "get_metadata",
    "get_namespace",
    "metadata",
    "namespace",
    "parallel",
    "project",
    "resources",
    "retry",
    "schedule",
    "secrets",
    "step",
    "timeout",
    "trigger",
    "trigger_on_finish",
]

# The facade's upward edge: these names are looked up where they live when they are first used.
_LAZY = {
    "DataArtifact": "flowkit.client",
    "Flow": "flowkit.client",
    "Flows": "flowkit.client",
    "Run": "flowkit.client",
    "Step": "flowkit.client",
    "Task": "flowkit.client",
    "default_metadata": "flowkit.client",
    "default_namespace": "flowkit.client",
    "get_metadata": "flowkit.client",
    "get_namespace": "flowkit.client",
    "metadata": "flowkit.client",
    "namespace": "flowkit.client",
    "secrets": "flowkit.authoring.secretsources",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module 'flowkit' has no attribute '{name}'")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return __all__
