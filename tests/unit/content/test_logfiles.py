"""Logs of runs between machines: uploaded by one, fetched by others."""

import os

import pytest

from flowkit.content.logfiles import RunLogs
from flowkit.exceptions import StorageError
from flowkit.stores.memory import MemoryBlobStore
from flowkit.stores.wrapping import BlobCache, ReadThroughStore


@pytest.fixture
def machines(s3_place, tmp_path):
    """The logs of a driver, and the same ones on a machine that only reads."""

    def machine(name):
        cache = BlobCache(str(tmp_path / name / "cache"), 1_000_000)
        store = ReadThroughStore(s3_place.store(), cache)
        return RunLogs(str(tmp_path / name), store, str(tmp_path / name / "copies"))

    return machine("driver"), machine("reader")


def write(logs, token, data):
    path = logs.path(token)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


def read(logs, token, size=0):
    with open(logs.find(token, size), "rb") as file:
        return file.read()


@pytest.mark.s3
def test_a_copy_is_fetched_once_and_again_when_it_is_too_short(machines):
    driver, reader = machines
    write(driver, "t", b"part")
    driver.upload("t")
    assert read(reader, "t") == b"part"
    write(driver, "t", b"part and rest")
    driver.upload("t")

    assert read(reader, "t", 4) == b"part"
    assert read(reader, "t", 5) == b"part and rest"


@pytest.mark.s3
def test_what_is_nowhere_has_no_file_and_may_be_deleted(machines):
    _, reader = machines

    assert not os.path.exists(reader.find("t"))
    reader.delete("t")


@pytest.mark.s3
def test_the_own_log_is_never_fetched(machines):
    driver, _ = machines
    write(driver, "t", b"old")
    driver.upload("t")
    write(driver, "t", b"new")

    assert read(driver, "t", 100) == b"new"


@pytest.mark.s3
def test_a_log_that_is_not_there_can_not_be_uploaded(machines):
    with pytest.raises(StorageError, match=r"can't read .*t\.log: No such file"):
        machines[0].upload("t")


def test_a_cache_of_a_store_without_files_says_so(tmp_path):
    store = ReadThroughStore(MemoryBlobStore(), BlobCache(str(tmp_path), 1_000_000))

    with pytest.raises(StorageError, match="does not keep files"):
        store.delete_file("logs/t.log")


def test_logs_of_a_local_store_stay_where_they_are(tmp_path):
    logs = RunLogs(str(tmp_path))
    write(logs, "t", b"said")

    logs.upload("t")
    assert read(logs, "t") == b"said"
    logs.delete("t")
    assert not os.path.exists(logs.find("t"))
