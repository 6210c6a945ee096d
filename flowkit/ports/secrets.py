"""Where secret values come from."""

from collections.abc import Mapping
from typing import Any, Protocol


class SecretsProvider(Protocol):
    """Fetches secrets as environment variables; keeps and logs none of them."""

    def fetch(
        self, secret_id: str, options: Mapping[str, Any], role: str | None
    ) -> Mapping[str, str]:
        """Return variables and their values.

        Args:
            secret_id: Which secret; what it means is the provider's own business.
            options: The source's ``options``.
            role: The role to assume, where there are roles.

        Raises:
            SecretError: It can't be had; the message names the secret, never a value.
        """
