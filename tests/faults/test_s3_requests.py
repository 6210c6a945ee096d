"""What a bad network or service does to requests: they are repeated, or one sentence tells why."""

import hashlib
import os
from email.utils import formatdate

import pytest

from flowkit.exceptions import (
    BlobCorrupted,
    S3AccessDenied,
    S3BucketNotFound,
    S3Exception,
    S3URLException,
    StorageError,
)
from flowkit.s3client import bucket as bucket_module
from flowkit.s3client import connection as connection_module
from flowkit.s3client import requests as requests_module
from flowkit.s3client.bucket import Bucket
from flowkit.s3client.connection import Connection, Endpoint
from flowkit.s3client.requests import Requests
from tests.servers.faultproxy import cut, flipped, late, lost, shortened, status, with_header
from tests.servers.s3 import SECRET, Place, free_ports

pytestmark = pytest.mark.s3
MIB = 1 << 20


@pytest.fixture(autouse=True)
def short_delays(monkeypatch):
    monkeypatch.setattr(requests_module, "_FIRST_DELAY", 0.005)
    monkeypatch.setattr(requests_module, "_LONGEST_DELAY", 0.2)


BUSY = [(500, "InternalError"), (503, "ServiceUnavailable"), (503, "SlowDown"), (429, "Throttled")]


@pytest.mark.parametrize(("code", "name"), BUSY, ids=[name for _, name in BUSY])
def test_a_busy_service_is_asked_again_until_it_answers(s3_place, s3_proxy, code, name):
    store = s3_place.store(s3_proxy.url)
    s3_proxy.add(status(code, name), times=3, reaches_server=False)
    digest = store.put(b"data")
    s3_proxy.add(status(code, name), times=3, reaches_server=False)

    assert store.get(digest) == b"data"
    assert s3_proxy.kinds() == ["PUT"] * 4 + ["GET"] * 4


@pytest.mark.parametrize("reaches_server", [True, False])
def test_a_put_whose_answer_is_lost_is_repeated(s3_place, s3_proxy, reaches_server):
    s3_proxy.add(lost(), "PUT", times=2, reaches_server=reaches_server)

    digest = s3_place.store(s3_proxy.url).put(b"data")

    assert s3_place.store().get(digest) == b"data"
    assert s3_proxy.kinds() == ["PUT"] * 3


@pytest.mark.parametrize("after", [0, 1, 50_000])
def test_a_get_whose_body_is_cut_is_repeated_as_a_whole(s3_place, s3_proxy, after):
    data = os.urandom(100_000)
    store = s3_place.store(s3_proxy.url)
    digest = store.put(data)
    s3_proxy.add(cut(after), "GET", times=2)

    assert store.get(digest) == data
    assert s3_proxy.kinds() == ["PUT"] + ["GET"] * 3


@pytest.mark.parametrize("at", [0, 10, 64, -1])
def test_bytes_damaged_on_their_way_here_are_fetched_again(s3_place, s3_proxy, at):
    store = s3_place.store(s3_proxy.url)
    digest = store.put(b"data" * 100)
    s3_proxy.add(flipped(at), "GET")

    assert store.get(digest) == b"data" * 100
    assert s3_proxy.kinds() == ["PUT", "GET", "GET"]


def test_bytes_that_come_damaged_twice_are_quarantined(s3_place, s3_proxy):
    store = s3_place.store(s3_proxy.url)
    digest = store.put(b"data" * 100)
    s3_proxy.add(flipped(70), "GET", times=2)

    with pytest.raises(BlobCorrupted) as caught:
        store.get(digest)

    assert caught.value.location.startswith(f"{s3_place.url}/quarantine/{digest}.")
    assert [key.rpartition("/")[0] for key in s3_place.all_keys()] == ["quarantine"]


def test_bytes_damaged_on_their_way_there_are_refused_and_sent_again(s3_place, s3_proxy):
    s3_proxy.spoil = 2

    digest = s3_place.store(s3_proxy.url).put(b"data")

    assert s3_place.store().get(digest) == b"data"
    assert s3_proxy.kinds() == ["PUT"] * 3


def test_an_answer_that_tells_of_other_bytes_is_an_error(s3_place, s3_proxy):
    s3_proxy.add(with_header("x-amz-checksum-sha256", "A" * 43 + "="), "PUT")

    with pytest.raises(S3Exception, match="does not hold what was written"):
        s3_place.store(s3_proxy.url).put(b"data")


def test_a_service_that_says_nothing_of_what_it_got_is_asked_for_the_size(s3_place, s3_proxy):
    s3_proxy.add(with_header("x-amz-checksum-sha256", None), "PUT")
    s3_place.store(s3_proxy.url).put(b"data")

    assert s3_proxy.kinds() == ["PUT", "HEAD"]


def test_silence_is_waited_for_only_so_long(s3_place, s3_proxy, monkeypatch):
    monkeypatch.setattr(connection_module, "_READ_TIMEOUT", 0.3)
    store = s3_place.store(s3_proxy.url)
    s3_proxy.add(late(1.5), "PUT")

    store.put(b"data")

    assert s3_proxy.kinds() == ["PUT", "PUT"]


def test_a_service_that_stays_busy_is_given_up_with_one_sentence(s3_place, s3_proxy, caplog):
    s3_proxy.add(status(503, "SlowDown"), times=10_000, reaches_server=False)
    store = s3_place.store(s3_proxy.url, patience=0.5)

    with pytest.raises(StorageError) as caught:
        store.put(b"data")

    message = str(caught.value)
    assert caught.value.exit_code == 6
    assert message.startswith(f"can't write {s3_place.url}/objects/")
    assert "the service is overloaded or has failed (503 SlowDown, request R1); tried" in message
    assert len(message.splitlines()) == 1


def test_waiting_is_told_now_and_then(s3_place, s3_proxy, caplog, monkeypatch):
    monkeypatch.setattr(requests_module, "_NEWS_EVERY", 0.0)
    s3_proxy.add(status(503, "SlowDown"), times=1, reaches_server=False)

    s3_place.store(s3_proxy.url).put(b"data")

    assert "yet: the service is overloaded or has failed; giving up in" in caplog.text


def test_a_service_that_is_not_there_is_named(s3_place):
    nobody = f"http://127.0.0.1:{free_ports(1)[0]}"

    with pytest.raises(S3Exception, match=r"does not answer \(EndpointConnectionError\)"):
        s3_place.store(nobody, patience=0.1).put(b"data")


@pytest.mark.parametrize(
    "secrets",
    [{"secret": "wr0ngsecret" * 4}, {"access": "N0B0DY", "secret": SECRET}],
    ids=["wrong secret", "unknown key"],
)
def test_wrong_credentials_are_told_without_showing_them(s3_place, secrets):
    with pytest.raises(S3AccessDenied) as caught:
        s3_place.store(**secrets).put(b"data")

    message = str(caught.value)
    assert "access is denied (403 " in message
    assert not any(secret in message for secret in (*secrets.values(), SECRET))
    assert caught.value.__cause__ is None
    assert caught.value.exit_code == 6


def test_credentials_that_may_only_read_are_told(s3_place):
    digest = s3_place.store().put(b"data")
    store = s3_place.store(access="READONLY")

    assert store.get(digest) == b"data"
    with pytest.raises(S3AccessDenied, match="check the credentials and what they allow"):
        store.put(b"other")


def test_missing_credentials_are_told(s3_place, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    bucket = Bucket(Requests(Connection(Endpoint(s3_place.server.url))), "b")

    with pytest.raises(S3AccessDenied, match="no credentials were found"):
        bucket.get("key")


def test_a_bucket_that_does_not_exist_is_told(s3_place):
    store = Place(s3_place.server, "p", "no-such-bucket").store()

    for use in (lambda: store.put(b"data"), lambda: store.get("0" * 64), lambda: [*store.list()]):
        with pytest.raises(S3BucketNotFound, match="there is no such bucket"):
            use()


@pytest.mark.parametrize("url", ["nonsense", "http://", "ftp//x:y"])
def test_an_endpoint_that_is_no_url_is_told(s3_place, url):
    with pytest.raises(S3URLException):
        s3_place.store(url, patience=0).put(b"data")


def test_a_wrong_clock_is_told_with_the_difference(s3_place, s3_proxy):
    # Twenty minutes ago, by the clock of whoever made this answer.
    import time

    date = formatdate(time.time() - 1200, usegmt=True)
    s3_proxy.add(status(403, "RequestTimeTooSkewed", Date=date), reaches_server=False)

    with pytest.raises(S3AccessDenied, match=r"clock .* it is 1(19|20)\d seconds ahead\)"):
        s3_place.store(s3_proxy.url).put(b"data")


def test_expired_credentials_are_looked_for_once_more(s3_place, s3_proxy):
    store = s3_place.store(s3_proxy.url)
    s3_proxy.add(status(400, "ExpiredToken"), reaches_server=False)
    store.put(b"data")
    s3_proxy.add(status(400, "ExpiredToken"), times=2, reaches_server=False)

    with pytest.raises(S3AccessDenied, match=r"have expired .*; sign in again"):
        store.put(b"data")

    assert s3_proxy.kinds() == ["PUT"] * 4


# --- large objects --------------------------------------------------------------------------------


@pytest.fixture
def small_parts(monkeypatch):
    monkeypatch.setattr(bucket_module, "MULTIPART_FROM", 12 * MIB)
    monkeypatch.setattr(bucket_module, "RANGES_FROM", 1 * MIB)
    monkeypatch.setattr(bucket_module, "_PART", 5 * MIB)
    return os.urandom(12 * MIB)


def uploads(place):
    listed = place.client().list_multipart_uploads(Bucket=place.bucket, Prefix=place.prefix)
    return listed.get("Uploads", [])


def test_a_large_object_goes_in_parts_and_comes_in_ranges(s3_place, s3_proxy, small_parts):
    store = s3_place.store(s3_proxy.url)
    digest = store.put(small_parts)

    assert digest == hashlib.sha256(small_parts).hexdigest()
    assert sorted(s3_proxy.kinds()) == sorted(
        ["HEAD", "POST uploads", *["PUT partNumber&uploadId"] * 3, "POST uploadId"]
    )
    s3_proxy.seen.clear()
    assert store.get(digest) == small_parts
    assert s3_proxy.kinds() == ["GET"] * 4
    s3_proxy.seen.clear()
    store.put(small_parts)
    assert s3_proxy.kinds() == ["HEAD"]


def test_parts_and_ranges_are_repeated_one_by_one(s3_place, s3_proxy, small_parts):
    store = s3_place.store(s3_proxy.url)
    for fault in (status(503, "SlowDown"), lost()):
        s3_proxy.add(fault, "PUT", where=lambda r: "partNumber" in r.target)
    digest = store.put(small_parts)
    s3_proxy.add(cut(1000), "GET", where=lambda r: "bytes=0-" not in str(r.headers), times=2)

    assert store.get(digest) == small_parts
    assert s3_proxy.kinds().count("PUT partNumber&uploadId") == 5
    assert s3_proxy.kinds().count("GET") == 6


def test_a_range_that_comes_too_short_is_fetched_again(s3_place, s3_proxy, small_parts):
    store = s3_place.store(s3_proxy.url)
    digest = store.put(small_parts)
    s3_proxy.add(shortened(1000), "GET", where=lambda r: "bytes=0-" not in str(r.headers))

    assert store.get(digest) == small_parts
    assert s3_proxy.kinds().count("GET") == 5


def test_a_large_object_of_another_size_is_written_again(s3_place, small_parts):
    store = s3_place.store()
    digest = store.put(small_parts)
    key = f"{s3_place.prefix}/objects/{digest[:2]}/{digest}"
    s3_place.client().put_object(Bucket=s3_place.bucket, Key=key, Body=b"cut off")

    store.put(small_parts)

    assert store.get(digest) == small_parts


def is_completion(request):
    return request.kind == "POST uploadId"


@pytest.mark.parametrize(
    "fault",
    [lost(), status(200, "InternalError"), status(500, "InternalError")],
    ids=["answer lost", "error in an answer that looks well", "error"],
)
@pytest.mark.parametrize("reaches_server", [True, False])
def test_a_completion_of_unknown_outcome_is_found_out(
    s3_place, s3_proxy, small_parts, fault, reaches_server
):
    s3_proxy.add(fault, where=is_completion, reaches_server=reaches_server)

    digest = s3_place.store(s3_proxy.url).put(small_parts)

    assert s3_place.store().get(digest) == small_parts
    assert uploads(s3_place) == []


def test_a_completion_that_finds_its_upload_gone_looks_at_the_object(
    s3_place, s3_proxy, small_parts
):
    s3_proxy.add(status(404, "NoSuchUpload"), where=is_completion)
    store = s3_place.store(s3_proxy.url)
    digest = store.put(small_parts)

    assert s3_place.store().get(digest) == small_parts

    other = small_parts[::-1]
    s3_proxy.add(status(404, "NoSuchUpload"), where=is_completion, reaches_server=False)
    with pytest.raises(S3Exception):
        store.put(other)


def test_an_upload_that_fails_leaves_nothing(s3_place, s3_proxy, small_parts):
    s3_proxy.add(status(403, "AccessDenied"), where=lambda r: "partNumber=2" in r.target)

    with pytest.raises(S3AccessDenied):
        s3_place.store(s3_proxy.url).put(small_parts)

    assert uploads(s3_place) == []
    assert s3_place.all_keys() == []


def test_an_object_that_changes_while_it_is_read_is_never_mixed(s3_place, s3_proxy, small_parts):
    bucket = s3_place.bucket_at(s3_proxy.url)
    key = f"{s3_place.prefix}/changing"
    bucket.put(key, [small_parts[: 10 * MIB]])
    plain = s3_place.client()

    def change(answer):
        plain.put_object(Bucket=s3_place.bucket, Key=key, Body=small_parts[2 * MIB :])
        return answer

    s3_proxy.add(change, "GET", where=lambda r: "bytes=0-" in str(r.headers))

    assert bucket.get(key)[0] == small_parts[2 * MIB :]


def test_deleting_many_falls_back_to_one_by_one(s3_place, s3_proxy):
    store = s3_place.store(s3_proxy.url)
    digests = store.put_many([b"%d" % n for n in range(5)])
    s3_proxy.add(status(400, "MissingContentMD5"), "POST", reaches_server=False)

    store.delete(digests)

    assert s3_place.all_keys() == []


# --- the server itself ----------------------------------------------------------------------------


def test_what_was_acknowledged_is_there_after_the_server_was_killed(own_s3_server):
    import threading

    place = Place(own_s3_server, "p")
    store = place.store(patience=60)
    before = store.put_many([os.urandom(1000) for _ in range(50)])
    own_s3_server.kill()
    timer = threading.Timer(0.3, own_s3_server.start)
    timer.start()
    try:
        after = store.put(b"while it is down")
    finally:
        timer.join()

    assert len(store.get_many(before)) == 50
    assert bytes(store.get(after)) == b"while it is down"
