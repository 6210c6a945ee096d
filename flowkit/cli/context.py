"""What every command of a flow file works with."""

from dataclasses import dataclass

import click

from flowkit import __version__, api
from flowkit.authoring.flowdef import FlowDef
from flowkit.config import Settings


@dataclass(frozen=True, slots=True)
class FlowFile:
    """A flow and the settings that the top-level options left.

    Attributes:
        flow: The flow, as its decorators and options made it.
        settings: Where things are and who runs it.
        is_quiet: Leave out header lines.
    """

    flow: FlowDef
    settings: Settings
    is_quiet: bool

    def say(self, text: str) -> None:
        """Print a header line on stderr, unless quiet."""
        if not self.is_quiet:
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
