"""``@secrets``: values that a step finds in its environment, and nowhere else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowkit import plugins
from flowkit.authoring.current import TaskContext
from flowkit.authoring.decorators import Call, StepDecorator
from flowkit.exceptions import DefinitionError, NotFoundError, SecretError

PROVIDERS: Mapping[str, str] = {
    "inline": "flowkit.vaults.inline:InlineProvider",
    "env": "flowkit.vaults.environment:EnvProvider",
    "file": "flowkit.vaults.file:FileProvider",
    "aws-secrets-manager": "flowkit.vaults.aws:SecretsManagerProvider",
}


@dataclass(frozen=True, kw_only=True)
class secrets(StepDecorator):  # noqa: N801
    """Put secrets into the environment of a step; they are never stored, sent or printed.

    Attributes:
        sources: Each ``"type.id"``, or a dict with ``type``, ``id``, ``options``, ``role``. Types:
            inline, env, file, aws-secrets-manager, and those that plug-ins offer.
        role: The role for sources without one of their own.
        allow_override: Whether variables that are already set may be replaced.

    Example::

        @secrets(sources=["aws-secrets-manager.prod/db", {"type": "env", "id": "TOKEN"}])
        @step
        def load(self): ...
    """

    sources: Sequence[str | Mapping[str, Any]] = ()
    role: str | None = None
    allow_override: bool = False

    def __post_init__(self) -> None:
        for source in self.sources:
            _parsed(source)

    def wrap(self, call: Call, task: TaskContext) -> None:  # noqa: ARG002
        """Fetch all, then set them, then run the step."""
        fetched: dict[str, str] = {}
        for source in self.sources:
            kind, secret_id, options, role = _parsed(source)
            found = _provider(kind).fetch(secret_id, options, role or self.role)
            clash = next((name for name in found if name in fetched), None)
            if clash is not None:
                raise SecretError(f"@secrets: two sources set the variable '{clash}'")
            fetched.update(found)
        set_variables = plugins.load("flowkit.vaults.environment:set_variables")
        set_variables(fetched, override=self.allow_override)
        call()


def _parsed(source: str | Mapping[str, Any]) -> tuple[str, str, Mapping[str, Any], str | None]:
    if isinstance(source, str):
        kind, dot, secret_id = source.partition(".")
        if not dot or not kind or not secret_id:
            raise DefinitionError(f"@secrets: source {source!r} is not of the form 'type.id'")
        return kind, secret_id, {}, None
    if "type" not in source:
        raise DefinitionError("@secrets: a source has no 'type'")
    options = source.get("options", {})
    return str(source["type"]), str(source.get("id", "")), options, source.get("role")


def _provider(kind: str) -> Any:
    """Return the provider of a type: a `flowkit.ports.secrets.SecretsProvider`."""
    known = PROVIDERS.get(kind)
    provider = plugins.load(known) if known else plugins.find("secrets", kind)
    if provider is None:
        raise NotFoundError(f"@secrets: unknown type '{kind}'; there are: {', '.join(PROVIDERS)}")
    return provider()
