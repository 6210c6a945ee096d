import os

import pytest

from flowkit.exceptions import S3URLException
from flowkit.ports.blobs import Buffer
from flowkit.s3client.address import split_url
from flowkit.s3client.bucket import _cut
from flowkit.s3client.connection import Connection, Endpoint
from flowkit.s3client.requests import in_parallel

SECRETS = {"aws_access_key_id": "K", "aws_secret_access_key": "S"}


@pytest.fixture
def connection():
    return Connection(Endpoint("http://127.0.0.1:1", session=SECRETS))


def in_a_fork(function):
    """Return what a function returns, as text, in a forked process."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(write, str(function()).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    os.close(write)
    with open(read) as answer:
        return answer.read()


def test_a_process_has_one_client(connection):
    assert connection.client() is connection.client()


def test_a_prepared_client_is_taken_by_each_process_that_is_forked(connection):
    connection.prepare()
    prepared = id(connection._client)

    assert in_a_fork(lambda: id(connection.client()) == prepared) == "True"
    assert in_a_fork(lambda: id(connection.client()) == prepared) == "True"
    assert id(connection.client()) == prepared


def test_a_client_in_use_is_never_carried_over_a_fork(connection):
    connection.prepare()
    used = connection.client()

    assert in_a_fork(lambda: connection.client() is used) == "False"
    assert connection.client() is used


def test_preparing_opens_no_connection(connection):
    before = set(os.listdir("/proc/self/fd"))
    connection.prepare()

    assert set(os.listdir("/proc/self/fd")) == before


def test_preparing_without_credentials_is_no_error(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")

    Connection(Endpoint("http://127.0.0.1:1")).prepare()


def test_after_renewing_the_client_is_another_one(connection):
    before = connection.client()
    connection.renew()

    assert connection.client() is not before


def test_a_given_client_is_used_as_it_is():
    ours = object()
    connection = Connection(Endpoint(), ours)
    connection.prepare()

    assert connection.client() is ours


def test_the_region_is_made_up_for_services_that_are_not_amazons(connection, monkeypatch):
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")

    assert connection.client().meta.region_name == "us-east-1"


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("s3://bucket/a/b", ("bucket", "a/b")),
        ("s3://bucket", ("bucket", "")),
        ("s3://bucket/", ("bucket", "")),
        ("s3://my.bucket-1//a/", ("my.bucket-1", "a/")),
    ],
)
def test_a_url_is_bucket_and_key(url, parts):
    assert split_url(url) == parts


@pytest.mark.parametrize(
    "url", ["", "bucket/key", "http://bucket/key", "s3://", "s3:///k", "s3://a b"]
)
def test_other_urls_are_refused(url):
    with pytest.raises(S3URLException):
        split_url(url)


def test_cutting_into_parts_keeps_the_bytes_and_copies_nothing():
    pieces: list[Buffer] = [b"0123456789", b"", bytearray(b"abcdef")]
    parts = _cut(pieces, 4)

    assert [b"".join(part) for part in parts] == [b"0123", b"4567", b"89ab", b"cdef"]
    assert parts[0][0].obj is pieces[0]


def test_the_values_of_parallel_calls_come_in_order():
    assert in_parallel(lambda n: n * n, range(40)) == [n * n for n in range(40)]
    assert in_parallel(str, [1]) == ["1"]
    assert in_parallel(str, []) == []


def test_an_error_of_a_parallel_call_is_raised():
    with pytest.raises(ZeroDivisionError):
        in_parallel(lambda n: 1 // n, [3, 2, 1, 0])
