import json
import os

import pytest

from flowkit.exceptions import SecretError
from flowkit.vaults.aws import SecretsManagerProvider
from flowkit.vaults.environment import EnvProvider, set_variables
from flowkit.vaults.file import FileProvider
from flowkit.vaults.inline import InlineProvider


def private_file(path, text, mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return str(path)


def test_inline_gives_the_variables_of_its_options():
    options = {"env_vars": {"A": 1, "B": "x"}}

    assert InlineProvider().fetch("id", options, None) == {"A": "1", "B": "x"}


def test_inline_without_variables_is_refused():
    with pytest.raises(SecretError, match="env_vars"):
        InlineProvider().fetch("id", {}, None)


def test_env_gives_a_variable_under_its_own_or_another_name(monkeypatch):
    monkeypatch.setenv("TOKEN_HERE", "s3cret")

    assert EnvProvider().fetch("TOKEN_HERE", {}, None) == {"TOKEN_HERE": "s3cret"}
    assert EnvProvider().fetch("TOKEN_HERE", {"name": "T"}, None) == {"T": "s3cret"}


def test_env_names_the_variable_that_is_missing(monkeypatch):
    monkeypatch.delenv("TOKEN_HERE", raising=False)

    with pytest.raises(SecretError, match="TOKEN_HERE"):
        EnvProvider().fetch("TOKEN_HERE", {}, None)


def test_file_gives_json_variables_or_one_value(tmp_path):
    several = private_file(tmp_path / "several", json.dumps({"A": "1", "N": 2}))
    single = private_file(tmp_path / "single", "word\n")

    assert FileProvider().fetch(several, {}, None) == {"A": "1", "N": "2"}
    assert FileProvider().fetch(single, {"name": "W"}, None) == {"W": "word"}


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_file_that_others_can_read_is_refused(tmp_path, mode):
    path = private_file(tmp_path / "open", "{}", mode)

    with pytest.raises(SecretError, match="chmod 600"):
        FileProvider().fetch(path, {}, None)


def test_file_that_is_no_json_object_does_not_show_its_content(tmp_path):
    path = private_file(tmp_path / "plain", "hunter2")

    with pytest.raises(SecretError) as caught:
        FileProvider().fetch(path, {}, None)

    assert "hunter2" not in str(caught.value)


def test_missing_file_is_named():
    with pytest.raises(SecretError, match="/no/such/file"):
        FileProvider().fetch("/no/such/file", {}, None)


def test_variables_that_are_set_are_only_replaced_on_request(monkeypatch):
    monkeypatch.setenv("SET", "old")

    with pytest.raises(SecretError, match="'SET' is already set"):
        set_variables({"SET": "new"}, override=False)
    assert os.environ["SET"] == "old"

    set_variables({"SET": "new"}, override=True)
    assert os.environ["SET"] == "new"


@pytest.fixture
def secrets_manager(monkeypatch):
    moto = pytest.importorskip("moto", reason="moto plays AWS Secrets Manager")
    import boto3

    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    with moto.mock_aws():
        yield boto3.client("secretsmanager", region_name="us-east-1")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_aws_gives_json_keys_or_one_value(secrets_manager):
    secrets_manager.create_secret(Name="prod/db", SecretString='{"USER": "ada", "PORT": 5432}')
    secrets_manager.create_secret(Name="prod/api-token", SecretString="t0ken")
    provider = SecretsManagerProvider()

    assert provider.fetch("prod/db", {}, None) == {"USER": "ada", "PORT": "5432"}
    assert provider.fetch("prod/api-token", {}, None) == {"API_TOKEN": "t0ken"}
    assert provider.fetch("prod/api-token", {"env_var_name": "T"}, None) == {"T": "t0ken"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_aws_names_the_secret_that_is_missing(secrets_manager):
    with pytest.raises(SecretError, match="prod/none"):
        SecretsManagerProvider().fetch("prod/none", {}, None)
