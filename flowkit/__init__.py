"""flowkit: data and ML flows as classes.

Names for writing flows are there at once; everything for reading and running is loaded when it is
first used, so that importing flowkit costs little.
"""

from typing import TYPE_CHECKING, Any

from flowkit.authoring import builtin as _builtin
from flowkit.authoring.config_values import ConfigValue, config_expr
from flowkit.authoring.configs import Config
from flowkit.authoring.current import current
from flowkit.authoring.declarations import ArtifactConfig
from flowkit.authoring.decorating import decorating as _decorating
from flowkit.authoring.decorators import FlowDecorator, StepDecorator
from flowkit.authoring.externals import ArtifactSelector, ExternalArtifact
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
from flowkit.authoring.stepcontext import get_step_context, log_artifact_metadata, log_metadata
from flowkit.authoring.steps import step
from flowkit.enums import ArtifactType

if TYPE_CHECKING:
    from flowkit.artifacts import load_artifact, register_artifact, save_artifact
    from flowkit.authoring import secretsources as _secretsources
    from flowkit.authoring.includefile import IncludeFile
    from flowkit.authoring.mutators import FlowMutator, StepMutator
    from flowkit.authoring.parsers import toml_parser, yaml_parser
    from flowkit.authoring.userdecorators import (
        USER_SKIP_STEP,
        UserStepDecorator,
        user_step_decorator,
    )
    from flowkit.client import (
        ArtifactVersion,
        Client,
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
    from flowkit.datatools import S3
    from flowkit.multicore import parallel_imap_unordered, parallel_map
    from flowkit.profiling import profile
    from flowkit.programmatic import NBRunner, Runner, resume, run

    secrets = _decorating(_secretsources.secrets)

__version__ = "0.1.0"

# The classes themselves; type checkers see that a decorated step keeps its type.
catch = _decorating(_builtin.catch)
environment = _decorating(_builtin.environment)
parallel = _decorating(_builtin.parallel)
resources = _decorating(_builtin.resources)
retry = _decorating(_builtin.retry)
timeout = _decorating(_builtin.timeout)

__all__ = [  # noqa: RUF022 - in the order of sorted()
    "ArtifactConfig",
    "ArtifactSelector",
    "ArtifactType",
    "ArtifactVersion",
    "Client",
    "Config",
    "ConfigValue",
    "DataArtifact",
    "ExternalArtifact",
    "Flow",
    "FlowDecorator",
    "FlowMutator",
    "FlowSpec",
    "Flows",
    "IncludeFile",
    "JSONType",
    "JSONTypeClass",
    "NBRunner",
    "Parameter",
    "Run",
    "Runner",
    "S3",
    "Step",
    "StepDecorator",
    "StepMutator",
    "Task",
    "USER_SKIP_STEP",
    "UserStepDecorator",
    "catch",
    "config_expr",
    "current",
    "default_metadata",
    "default_namespace",
    "environment",
    "exit_hook",
    "get_metadata",
    "get_namespace",
    "get_step_context",
    "load_artifact",
    "log_artifact_metadata",
    "log_metadata",
    "metadata",
    "namespace",
    "parallel",
    "parallel_imap_unordered",
    "parallel_map",
    "profile",
    "project",
    "register_artifact",
    "resources",
    "resume",
    "retry",
    "run",
    "save_artifact",
    "schedule",
    "secrets",
    "step",
    "timeout",
    "toml_parser",
    "trigger",
    "trigger_on_finish",
    "user_step_decorator",
    "yaml_parser",
]

# The facade's upward edge: these names are looked up where they live when they are first used.
_LAZY = {
    "ArtifactVersion": "flowkit.client",
    "Client": "flowkit.client",
    "DataArtifact": "flowkit.client",
    "Flow": "flowkit.client",
    "FlowMutator": "flowkit.authoring.mutators",
    "Flows": "flowkit.client",
    "IncludeFile": "flowkit.authoring.includefile",
    "NBRunner": "flowkit.programmatic",
    "Run": "flowkit.client",
    "Runner": "flowkit.programmatic",
    "S3": "flowkit.datatools",
    "Step": "flowkit.client",
    "StepMutator": "flowkit.authoring.mutators",
    "Task": "flowkit.client",
    "USER_SKIP_STEP": "flowkit.authoring.userdecorators",
    "UserStepDecorator": "flowkit.authoring.userdecorators",
    "default_metadata": "flowkit.client",
    "default_namespace": "flowkit.client",
    "get_metadata": "flowkit.client",
    "get_namespace": "flowkit.client",
    "load_artifact": "flowkit.artifacts",
    "metadata": "flowkit.client",
    "namespace": "flowkit.client",
    "parallel_imap_unordered": "flowkit.multicore",
    "parallel_map": "flowkit.multicore",
    "profile": "flowkit.profiling",
    "register_artifact": "flowkit.artifacts",
    "resume": "flowkit.programmatic",
    "run": "flowkit.programmatic",
    "save_artifact": "flowkit.artifacts",
    "secrets": "flowkit.authoring.secretsources",
    "toml_parser": "flowkit.authoring.parsers",
    "user_step_decorator": "flowkit.authoring.userdecorators",
    "yaml_parser": "flowkit.authoring.parsers",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        from flowkit.absent import missing  # noqa: PLC0415 - most programs never ask

        raise missing(name)
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    return __all__
