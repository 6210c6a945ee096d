"""Values from AWS Secrets Manager, by boto3 and its own chain of credentials."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from flowkit.exceptions import SecretError


class SecretsManagerProvider:
    """Fetches a secret by name or ARN.

    A JSON object becomes one variable per key; anything else one variable, named by
    ``options["env_var_name"]`` or by the last part of the secret's name in capitals. Further
    ``options``: ``json`` (False: never parse), ``env_var_for_json``, ``region``.
    """

    def fetch(
        self, secret_id: str, options: Mapping[str, Any], role: str | None
    ) -> Mapping[str, str]:
        """Return the secret's variables; see `SecretsProvider.fetch`."""
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - 0.2 s

        try:
            reply = _client(options.get("region"), role).get_secret_value(SecretId=secret_id)
        except (BotoCoreError, ClientError) as error:
            raise SecretError(f"secret 'aws-secrets-manager.{secret_id}': {error}") from None
        text = reply.get("SecretString")
        if text is None:
            text = base64.b64encode(reply["SecretBinary"]).decode("ascii")
        elif options.get("json", True):
            variables = _json_object(text)
            if variables is not None:
                return variables
        default = secret_id.rpartition("/")[2].rpartition(":")[2].upper().replace("-", "_")
        return {str(options.get("env_var_name", default)): text}


def _json_object(text: str) -> dict[str, str] | None:
    try:
        content = json.loads(text)
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    return {str(key): str(value) for key, value in content.items()}


def _client(region: str | None, role: str | None) -> Any:
    import boto3  # noqa: PLC0415 - 0.2 s

    if role is None:
        return boto3.client("secretsmanager", region_name=region)
    assumed = boto3.client("sts", region_name=region).assume_role(
        RoleArn=role, RoleSessionName="flowkit"
    )["Credentials"]
    return boto3.client(
        "secretsmanager",
        region_name=region,
        aws_access_key_id=assumed["AccessKeyId"],
        aws_secret_access_key=assumed["SecretAccessKey"],
        aws_session_token=assumed["SessionToken"],
    )
