import subprocess
import sys

import pytest

from flowkit.config import Settings, load_settings
from flowkit.exceptions import UsageError
from flowkit.stores.wrapping import ReadThroughStore
from flowkit.wiring import open_blobs

LOOK = """
import sys
from flowkit.config import Settings
from flowkit.wiring import open_blobs
store = open_blobs(Settings(home={home!r}, datastore="s3://bucket/prefix"))
print("botocore" in sys.modules)
"""


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path))
    monkeypatch.setenv("FLOWKIT_USER", "ada")


def test_the_settings_of_s3_come_from_the_environment(monkeypatch):
    values = {
        "s3_endpoint_url": "http://host:1",
        "s3_server_side_encryption": "AES256",
        "s3_retry_seconds": "1.5",
        "client_cache_path": "/cache",
        "client_cache_max_size": "5",
        "datatools_s3root": "s3://b/p",
    }
    for name, value in values.items():
        monkeypatch.setenv(f"FLOWKIT_{name.upper()}", value)
    settings = load_settings()

    assert {name: str(getattr(settings, name)) for name in values} == {
        **values,
        "client_cache_max_size": "5.0",
    }


@pytest.mark.parametrize("text", ["soon", "-1", "", "nan"])
def test_a_number_that_is_none_is_refused(monkeypatch, text):
    monkeypatch.setenv("FLOWKIT_S3_RETRY_SECONDS", text)

    with pytest.raises(UsageError, match="s3_retry_seconds"):
        load_settings()


def test_opening_a_store_sends_nothing_and_loads_nothing(tmp_path):
    outcome = subprocess.run(
        [sys.executable, "-c", LOOK.format(home=str(tmp_path / "h"))],
        capture_output=True,
        text=True,
        check=True,
    )

    assert outcome.stdout == "False\n"
    assert not (tmp_path / "h").exists()


@pytest.mark.parametrize("url", ["s3://", "s3:///x", "s3://a b/c"])
def test_a_datastore_without_a_bucket_is_refused(tmp_path, url):
    with pytest.raises(UsageError, match="BUCKET"):
        open_blobs(Settings(home=str(tmp_path), datastore=url))


def test_stores_have_caches_of_their_own(tmp_path):
    def cache(**changes):
        store = open_blobs(Settings(home=str(tmp_path), **changes))
        assert isinstance(store, ReadThroughStore)
        return store._cache._root

    first = cache(datastore="s3://b/p")

    assert first.startswith(str(tmp_path / "cache"))
    assert cache(datastore="s3://b/p/") == first
    others = {
        cache(datastore="s3://b/q"),
        cache(datastore="s3://c/p"),
        cache(datastore="s3://b/p", s3_endpoint_url="http://host:1"),
        cache(datastore="s3://b/p", client_cache_path=str(tmp_path / "elsewhere")),
    }
    assert len(others | {first}) == 5
