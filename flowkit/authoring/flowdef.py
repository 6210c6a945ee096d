"""A flow class read once into a frozen value: what the graph, the runtime and the CLI work with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowkit.authoring.configs import ConfigDef
from flowkit.authoring.declarations import Declaration
from flowkit.authoring.decorators import FlowDecorator
from flowkit.authoring.externals import ExternalArtifact
from flowkit.authoring.parameters import Parameter
from flowkit.authoring.steps import StepDef


@dataclass(frozen=True, slots=True)
class FlowDef:
    """One flow class.

    Attributes:
        name: Name of the class.
        cls: The class itself.
        file: Path of the source file of the class, "" when it has none.
        doc: The class's docstring.
        steps: Name to step, in the order of definition (base classes first).
        parameters: Attribute name to `Parameter`.
        constants: Class-level values by attribute name; read-only artifacts of every run.
        decorators: Outermost first.
        configs: Attribute name to what was declared.
        config_values: Plain values of the configs by attribute name, once they are known.
        decospecs: The step decorators that were added from outside, as with ``--with``.
        declarations: Attribute name to what its annotation says.
        externals: Attribute name to the artifact from elsewhere.
    """

    name: str
    cls: type
    file: str
    doc: str
    steps: Mapping[str, StepDef]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    constants: Mapping[str, Any] = field(default_factory=dict)
    decorators: tuple[FlowDecorator, ...] = ()
    configs: Mapping[str, ConfigDef] = field(default_factory=dict)
    config_values: Mapping[str, Any] = field(default_factory=dict)
    decospecs: tuple[str, ...] = ()
    declarations: Mapping[str, Declaration] = field(default_factory=dict)
    externals: Mapping[str, ExternalArtifact] = field(default_factory=dict)

    @property
    def read_only(self) -> frozenset[str]:
        """The artifacts of every run that steps can't change."""
        given = (*self.parameters, *self.configs, *self.externals)
        return frozenset({*given, *self.constants, "name"})

    @property
    def named(self) -> dict[str, Declaration]:
        """The declarations whose artifacts have a name, so that versions are made of them."""
        return {a: one for a, one in self.declarations.items() if one.artifact is not None}

    @property
    def seen_configs(self) -> dict[str, Any]:
        """The configs by attribute name, as steps see them."""
        values = self.config_values
        return {name: config.seen(values.get(name)) for name, config in self.configs.items()}
