"""What every command of a flow file works with."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import click

from flowkit import __version__, api
from flowkit.authoring.configs import ConfigChoices, read_configs
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.flowspec import FlowSpec, declaration, definition
from flowkit.authoring.parameters import ParameterContext
from flowkit.cli.options import configured
from flowkit.config import Settings


@dataclass(frozen=True)
class FlowFile:
    """A flow class and what the top-level options say about it.

    Attributes:
        cls: The flow class.
        settings: Where things are and who runs it.
        is_quiet: Leave out header lines.
        choices: Where the configs come from.
        configs: Their values, where these are known already.
        decospecs: Step decorators for every step that lacks them.
        flags: Values of the options that the flow's decorators bring along.
    """

    cls: type[FlowSpec]
    settings: Settings
    is_quiet: bool
    choices: ConfigChoices = field(default_factory=ConfigChoices)
    configs: Mapping[str, Any] | None = None
    decospecs: tuple[str, ...] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)

    @property
    def declared(self) -> FlowDef:
        """The flow as it is written; enough for commands that only read results."""
        return declaration(self.cls)

    @cached_property
    def flow(self) -> FlowDef:
        """The flow as configs, decorators and options make it.

        Raises:
            UsageError: A config can't be had.
            DefinitionError: A decorator can't be made.
        """
        values = self.configs
        if values is None:
            values = read_configs(self.declared.configs, self.choices, self._config_context)
        # The default ones come last: those that are given go before.
        decospecs = (*self.decospecs, *self.settings.decospecs)
        return configured(definition(self.cls, values, decospecs), self.flags)

    def _config_context(self, name: str) -> ParameterContext:
        return ParameterContext(self.declared.name, self.settings.user, name, click.echo)

    def say(self, text: str) -> None:
        """Print a header line on stderr, unless quiet or nobody reads it any more."""
        if not self.is_quiet:
            with suppress(OSError):
                click.echo(text, err=True)

    def validate(self) -> None:
        """Check the graph and say so; LintError when it breaks rules."""
        self.say(f"flowkit {__version__} executing {self.flow.name} for user:{self.settings.user}")
        for decorator in self.flow.decorators:
            headline = decorator.facts(self.flow.name, self.settings.user).headline
            if headline:
                self.say(headline)
        self.say("Validating your flow...")
        api.checked_graph(self.flow)
        self.say("    The graph looks good!")
