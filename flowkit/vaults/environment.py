"""Secrets from and to the environment of this process, where steps find them."""

import os
from collections.abc import Mapping
from typing import Any

from flowkit.exceptions import SecretError


class EnvProvider:
    """Reads one environment variable: ``env.DB_PASSWORD``; ``options["name"]`` renames it."""

    def fetch(
        self, secret_id: str, options: Mapping[str, Any], role: str | None
    ) -> Mapping[str, str]:
        """Return the variable; see `SecretsProvider.fetch`."""
        del role
        value = os.environ.get(secret_id)  # noqa: TID251 - here secrets are read, not settings
        if value is None:
            raise SecretError(f"secret 'env.{secret_id}': there is no such environment variable")
        return {str(options.get("name", secret_id)): value}


def set_variables(variables: Mapping[str, str], *, override: bool) -> None:
    """Set variables of this process's environment.

    Raises:
        SecretError: One of them is already set to something else, and ``override`` is False.
    """
    environment = os.environ  # noqa: TID251 - the process is the step's own
    for name, value in variables.items():
        if not override and environment.get(name, value) != value:
            raise SecretError(f"the variable '{name}' is already set: use allow_override=True")
    environment.update(variables)
