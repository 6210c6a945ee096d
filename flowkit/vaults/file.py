"""Values from a file that only its owner can read."""

import json
import os
import stat
from collections.abc import Mapping
from typing import Any

from flowkit.exceptions import SecretError

MAX_BYTES = 1 << 20


class FileProvider:
    """Reads a file: a JSON object of variables, or one value named by ``options["name"]``.

    A file that group or others can read is refused.
    """

    def fetch(
        self, secret_id: str, options: Mapping[str, Any], role: str | None
    ) -> Mapping[str, str]:
        """Return the file's variables; see `SecretsProvider.fetch`."""
        del role
        text = _read(secret_id)
        name = options.get("name")
        if name is not None:
            return {str(name): text.rstrip("\n")}
        try:
            variables = json.loads(text)
        except ValueError:
            variables = None
        if not isinstance(variables, dict):
            raise SecretError(
                f"secret 'file.{secret_id}' is no JSON object: give options={{'name': VARIABLE}} "
                "to take the whole file as one value"
            )
        return {str(key): str(value) for key, value in variables.items()}


def _read(path: str) -> str:
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode) or status.st_size > MAX_BYTES:
                raise SecretError(f"secret 'file.{path}' is no regular file of up to 1 MiB")
            if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise SecretError(f"secret 'file.{path}' can be read by others: chmod 600 it first")
            return file.read()
    except (OSError, UnicodeDecodeError) as error:
        raise SecretError(f"secret 'file.{path}' can't be read: {error}") from None
