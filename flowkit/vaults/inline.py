"""Values written down in the source itself: for trying things out."""

from collections.abc import Mapping
from typing import Any

from flowkit.exceptions import SecretError


class InlineProvider:
    """Returns ``options["env_vars"]``."""

    def fetch(
        self, secret_id: str, options: Mapping[str, Any], role: str | None
    ) -> Mapping[str, str]:
        """Return the variables given in the options; see `SecretsProvider.fetch`."""
        del role
        variables = options.get("env_vars")
        if not isinstance(variables, Mapping):
            raise SecretError(f"secret 'inline.{secret_id}': options need a dict 'env_vars'")
        return {str(name): str(value) for name, value in variables.items()}
