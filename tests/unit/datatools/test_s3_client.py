"""The users' S3 client against a real server."""

import io
import os
from pathlib import Path

import pytest

from flowkit import S3
from flowkit.datatools import S3GetObject, S3PutObject
from flowkit.exceptions import (
    S3AccessDenied,
    S3BucketNotFound,
    S3Exception,
    S3InsufficientDiskSpace,
    S3InvalidObject,
    S3InvalidRange,
    S3NotFound,
    S3URLException,
)
from flowkit.s3client import bucket as bucket_module
from tests.servers.s3 import ACCESS, SECRET

pytestmark = pytest.mark.s3


@pytest.fixture(autouse=True)
def settings(s3_place, tmp_path, monkeypatch):
    for name, value in s3_place.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path))
    monkeypatch.setenv("FLOWKIT_TEMPDIR", str(tmp_path))


@pytest.fixture
def s3(s3_place):
    """A client of the test's own prefix; made once per server, a client costs a while."""
    with S3(s3root=s3_place.url, external_client=s3_place.client()) as client:
        yield client


@pytest.fixture
def filled(s3):
    s3.put_many([("a", "A"), ("d/b", "B"), ("d/c", "C"), ("d/e/f", "F"), ("dd/g", "G")])
    return s3


# --- put and get ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "blob"),
    [
        ("täxt", "täxt".encode()),
        (b"bytes", b"bytes"),
        (b"", b""),
        (bytearray(b"array"), b"array"),
        (memoryview(b"\0\0\0\1").cast("I"), b"\0\0\0\1"),
        (io.BytesIO(b"file"), b"file"),
    ],
    ids=["text", "bytes", "empty", "bytearray", "memoryview", "file object"],
)
def test_what_is_put_can_be_got(s3, s3_place, value, blob):
    url = s3.put("key", value)
    found = s3.get("key")

    assert url == f"{s3_place.url}/key" == found.url
    assert (found.blob, found.size, found.exists, found.downloaded) == (blob, len(blob), True, True)
    assert (found.key, found.prefix) == ("key", s3_place.url)
    assert found.text == blob.decode()
    assert found.path is not None
    assert Path(found.path).read_bytes() == blob


@pytest.mark.parametrize("value", [None, 3, ["x"], io.StringIO("text")])
def test_what_has_no_bytes_can_not_be_put(s3, value):
    with pytest.raises(S3InvalidObject):
        s3.put("key", value)


@pytest.mark.parametrize("key", ["a b", "ü+x", "100%", "a=b&c", "deep/er/key", "q?x#y"])
def test_odd_keys_are_kept(s3, key):
    s3.put(key, key)

    assert s3.get(key).text == key
    assert [found.key for found in s3.list_recursive()] == [key]


def test_content_type_metadata_and_more_are_kept(s3):
    s3.put("key", "x", content_type="text/csv", metadata={"a": [1, "ü"]})

    for found in (s3.get("key"), s3.info("key")):
        assert found.has_info
        assert found.content_type == "text/csv"
        assert found.metadata == {"a": [1, "ü"]}
        assert found.last_modified > 1_600_000_000
        assert found.encryption is None
    bare = s3.get("key", return_info=False)
    assert (bare.has_info, bare.metadata, bare.content_type) == (False, None, None)


def test_server_side_encryption_can_be_asked_for(s3, s3_place):
    with S3(s3root=s3_place.url, encryption="AES256", external_client=s3_place.client()) as other:
        other.put("one", "x")
    s3.put_many([S3PutObject("two", "x", encryption="AES256"), ("three", "x")])

    assert s3.info("one").encryption == s3.info("two").encryption == "AES256"
    assert s3.info("three").encryption is None


def test_an_object_that_exists_is_only_replaced_on_request(s3):
    s3.put("key", "first")

    assert s3.put("key", "second", overwrite=False).endswith("/key")
    assert s3.get("key").text == "first"
    s3.put("key", "third")
    assert s3.get("key").text == "third"


def test_many_are_put_and_got_in_order(s3, s3_place):
    pairs = [(f"k{n}", str(n) * n) for n in range(60)]

    assert s3.put_many(pairs) == [(key, f"{s3_place.url}/{key}") for key, _ in pairs]
    assert [found.text for found in s3.get_many([key for key, _ in pairs])] == [
        text for _, text in pairs
    ]
    assert s3.put_many([("k1", "x"), ("new", "x")], overwrite=False) == [
        ("new", f"{s3_place.url}/new")
    ]
    assert s3.put_many([]) == s3.get_many([]) == []


def test_files_are_put(s3, tmp_path):
    for name, content in (("one", b"1" * 1000), ("empty", b"")):
        (tmp_path / name).write_bytes(content)
    s3.put_files([("a", str(tmp_path / "one")), S3PutObject("b", path=str(tmp_path / "empty"))])

    assert [found.blob for found in s3.get_many(["a", "b"])] == [b"1" * 1000, b""]
    with pytest.raises(S3InvalidObject, match="no-such-file"):
        s3.put_files([("c", str(tmp_path / "no-such-file"))])


def test_large_objects_go_in_parts_and_come_in_ranges(s3, tmp_path, monkeypatch):
    monkeypatch.setattr(bucket_module, "MULTIPART_FROM", 6 << 20)
    monkeypatch.setattr(bucket_module, "RANGES_FROM", 1 << 20)
    monkeypatch.setattr(bucket_module, "_PART", 5 << 20)
    data = os.urandom(13 << 20)
    (tmp_path / "large").write_bytes(data)
    s3.put_files([("large", str(tmp_path / "large"))])

    assert s3.get("large").blob == data


# --- parts ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset", "length", "part", "info"),
    [
        (None, None, b"0123456789", (10, 0, 10)),
        (0, 3, b"012", (10, 0, 3)),
        (7, None, b"789", (10, 7, 3)),
        (8, 100, b"89", (10, 8, 2)),
        (None, -4, b"6789", (10, 6, 4)),
        (2, -4, b"6789", (10, 6, 4)),
    ],
)
def test_a_part_of_an_object_is_got(s3, offset, length, part, info):
    s3.put("key", "0123456789")
    found = s3.get(S3GetObject("key", offset, length))

    assert (found.blob, found.range_info, found.size) == (part, info, len(part))
    assert s3.get_many([S3GetObject("key", 1, 1), "key"])[0].blob == b"1"


@pytest.mark.parametrize(("offset", "length"), [(10, None), (99, 1), (0, 0), (-1, 5)])
def test_a_part_that_is_not_there_is_an_error(s3, offset, length):
    s3.put("key", "0123456789")

    with pytest.raises(S3InvalidRange):
        s3.get(S3GetObject("key", offset, length))


# --- listing and information ----------------------------------------------------------------------


def test_one_level_is_listed_with_prefixes_that_do_not_exist(filled):
    found = {each.key: (each.exists, each.size, each.downloaded) for each in filled.list_paths()}

    assert found == {
        "a": (True, 1, False), "d": (False, None, False), "dd": (False, None, False)
    }  # fmt: skip
    assert {each.key for each in filled.list_paths(["d", "dd"])} == {"d/b", "d/c", "d/e", "dd/g"}


def test_all_below_is_listed(filled):
    assert [each.key for each in filled.list_recursive()] == ["a", "d/b", "d/c", "d/e/f", "dd/g"]
    assert [each.key for each in filled.list_recursive(["d"])] == ["d/b", "d/c", "d/e/f"]
    assert filled.list_recursive(["nothing"]) == []


def test_long_listings_come_in_pages(s3, monkeypatch):
    client = s3._requests.connection.client()
    real = client.list_objects_v2
    monkeypatch.setattr(client, "list_objects_v2", lambda **how: real(**how, MaxKeys=10))
    s3.put_many([(f"{n:03}", "x") for n in range(25)])

    assert [each.key for each in s3.list_recursive()] == [f"{n:03}" for n in range(25)]


def test_all_below_is_got(filled):
    assert [each.text for each in filled.get_recursive(["d"])] == ["B", "C", "F"]
    assert [each.text for each in filled.get_all()] == ["A", "B", "C", "F", "G"]
    assert all(each.has_info for each in filled.get_all(return_info=True))


def test_information_comes_without_the_bytes(filled):
    found = filled.info("a")

    assert (found.exists, found.size, found.downloaded, found.blob) == (True, 1, False, None)
    assert [each.exists for each in filled.info_many(["a", "x"], return_missing=True)] == [
        True,
        False,
    ]


def test_missing_objects_are_errors_unless_they_are_asked_for(filled):
    for call in (filled.get, filled.info):
        with pytest.raises(S3NotFound, match="missing"):
            call("missing")
        found = call("missing", return_missing=True)
        assert (found.exists, found.size, found.downloaded) == (False, None, False)
    with pytest.raises(S3NotFound):
        filled.get_many(["a", "missing"])
    assert [each.exists for each in filled.get_many(["a", "missing"], return_missing=True)] == [
        True,
        False,
    ]


# --- places ---------------------------------------------------------------------------------------


def test_without_a_root_keys_are_urls(s3_place, filled):
    url = f"{s3_place.url}/d/b"
    with S3(external_client=s3_place.client()) as client:
        found = client.get(url)
        listed = client.list_paths([f"{s3_place.url}/d"])

        assert (found.key, found.prefix, found.text) == (url, None, "B")
        assert sorted((each.key, each.prefix) for each in listed) == [
            (key, f"{s3_place.url}/d") for key in ("b", "c", "e")
        ]
        for use in (lambda: client.get("d/b"), client.get, client.get_all):
            with pytest.raises(S3URLException):
                use()


def test_with_a_root_urls_are_refused(s3, s3_place):
    with pytest.raises(S3URLException, match="give a key"):
        s3.get(f"{s3_place.url}/d/b")
    with pytest.raises(S3URLException):
        s3.get(3)


def test_the_root_itself_can_be_an_object(filled, s3_place):
    with S3(s3root=f"{s3_place.url}/d/b/", external_client=s3_place.client()) as client:
        assert client.get().text == "B"
        assert client.info().key == f"{s3_place.url}/d/b"


class FakeRun:
    pathspec = "Train/7"


def test_a_run_has_a_place_of_its_own(s3_place):
    client = s3_place.client()
    with S3(run=FakeRun(), external_client=client) as s3:
        assert s3.put("k", "x") == f"{s3_place.url}/data/Train/7/k"
    with S3(run=FakeRun(), prefix="p", external_client=client) as s3:
        assert s3.put("k", "x") == f"s3://{s3_place.bucket}/p/Train/7/k"


def test_the_place_of_runs_can_be_configured(s3_place, monkeypatch):
    monkeypatch.setenv("FLOWKIT_DATATOOLS_S3ROOT", f"{s3_place.url}/mine/")
    monkeypatch.setenv("FLOWKIT_DATASTORE", "local")
    with S3(run=FakeRun(), external_client=s3_place.client()) as s3:
        assert s3.put("k", "x") == f"{s3_place.url}/mine/Train/7/k"


def test_runs_without_a_place_are_told_how_to_configure_one(monkeypatch):
    monkeypatch.setenv("FLOWKIT_DATASTORE", "local")

    with pytest.raises(S3URLException, match="FLOWKIT_DATATOOLS_S3ROOT"):
        S3(run=FakeRun())
    S3(run=FakeRun(), bucket="some-bucket")


@pytest.mark.parametrize(
    "arguments",
    [
        {"run": FakeRun(), "s3root": "s3://b/p"},
        {"bucket": "b"},
        {"prefix": "p"},
        {"s3root": "b/p"},
        {"run": 3},
    ],
    ids=["run and root", "bucket alone", "prefix alone", "no URL", "no run"],
)
def test_arguments_that_do_not_fit_together_are_refused(arguments):
    with pytest.raises(S3URLException):
        S3(**arguments)


# --- files, credentials, errors -------------------------------------------------------------------


def test_files_vanish_when_the_client_is_closed(s3_place, filled, tmp_path):
    with S3(str(tmp_path), s3root=s3_place.url, external_client=s3_place.client()) as client:
        path = str(client.get("a").path)
        assert Path(path).is_relative_to(tmp_path)
        assert Path(path).stat().st_mode & 0o777 == 0o600
    client.close()

    assert not Path(path).exists()
    assert list(tmp_path.glob("flowkit.s3.*")) == []


def test_credentials_come_from_the_environment_or_are_given(s3_place, monkeypatch):
    with S3(s3root=s3_place.url) as client:
        client.put("key", "x")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    session = {"aws_access_key_id": ACCESS, "aws_secret_access_key": SECRET}
    with S3(s3root=s3_place.url, session_vars=session) as client:
        assert client.get("key").text == "x"
    params = {"aws_access_key_id": ACCESS, "aws_secret_access_key": "wrong" * 5}
    with S3(s3root=s3_place.url, client_params=params) as client, pytest.raises(S3AccessDenied):
        client.get("key")


def test_a_missing_bucket_is_no_missing_object(s3_place):
    with S3(external_client=s3_place.client()) as client, pytest.raises(S3BucketNotFound):
        client.get("s3://no-such-bucket/key", return_missing=True)


def test_a_bucket_alone_is_no_object(s3_place):
    with S3(external_client=s3_place.client()) as client, pytest.raises(S3URLException):
        client.get(f"s3://{s3_place.bucket}")


def test_a_disk_that_is_full_is_told(s3, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    s3.put("key", "x")
    monkeypatch.setattr(os, "posix_fallocate", full)

    with pytest.raises(S3InsufficientDiskSpace, match="No space left"):
        s3.get("key")


def test_a_directory_that_can_not_be_written_is_told(s3, monkeypatch):
    s3.put("key", "x")
    s3.get("key")
    Path(s3._directory).rename(f"{s3._directory}.away")

    with pytest.raises(S3Exception, match="can't write"):
        s3.get("key")
