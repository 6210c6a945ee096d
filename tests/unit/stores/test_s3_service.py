"""What a service does with conditional PUTs: asked once per store, then used to replace nothing."""

import os

import pytest

from flowkit.exceptions import S3AccessDenied, S3BucketNotFound, S3Exception
from flowkit.stores.s3service import S3Service
from tests.servers.faultproxy import Answer, lost, status
from tests.servers.s3 import Place

pytestmark = pytest.mark.s3


def is_conditional(request):
    return any(name.lower() == "if-none-match" for name, _ in request.headers)


def well(_):
    return Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def is_trial(request):
    return is_conditional(request) and "/tmp/" in request.path


@pytest.fixture
def copy(tmp_path):
    return str(tmp_path / "cache" / "service")


@pytest.fixture
def conditional(s3_place, s3_proxy, copy):
    """A store that uses conditions, behind a proxy that has seen nothing yet."""
    store = s3_place.store(s3_proxy.url, copy=copy)
    store.probe()
    s3_proxy.seen.clear()
    return store


def service(place, url, copy):
    return S3Service(place.bucket_at(url), f"{place.prefix}/", copy)


def test_a_service_is_asked_once_per_store(s3_place, s3_proxy, copy, tmp_path):
    found = [service(s3_place, s3_proxy.url, copy).probe() for _ in range(3)]
    asked = s3_proxy.kinds()
    s3_proxy.seen.clear()
    elsewhere = service(s3_place, s3_proxy.url, str(tmp_path / "other" / "copy")).probe()

    assert found == ["honoured"] * 3
    assert asked == ["GET", "PUT", "PUT", "GET", "DELETE", "PUT"]
    assert s3_proxy.kinds() == ["GET"]
    assert elsewhere == "honoured"
    assert s3_place.all_keys() == ["format"]


def test_the_object_says_what_the_store_is(s3_place, copy):
    service(s3_place, "", copy).probe()
    data, _ = s3_place.bucket_at().get(f"{s3_place.prefix}/format")

    assert bytes(data) == b"flowkit content store 1\nconditional put: honoured\n"


@pytest.mark.parametrize(
    ("answer", "known"),
    [(well, "ignored"), (status(501, "NotImplemented"), "refused")],
    ids=["ignores conditions", "does not know conditions"],
)
def test_a_service_without_conditions_gets_none(s3_place, s3_proxy, copy, answer, known):
    s3_proxy.add(answer, "PUT", reaches_server=False, where=is_trial)
    store = s3_place.store(s3_proxy.url, copy=copy)

    assert store.probe() == f"conditional writes are {known}"
    s3_proxy.seen.clear()
    digest = store.put(b"data")
    assert store.get(digest) == b"data"
    assert not any(map(is_conditional, s3_proxy.seen))


def test_a_service_that_refuses_and_replaces_all_the_same_ignores_conditions(
    s3_place, s3_proxy, copy
):
    plain, key = s3_place.client(), f"{s3_place.prefix}/tmp/"

    def replaced(answer):
        for entry in plain.list_objects_v2(Bucket=s3_place.bucket, Prefix=key)["Contents"]:
            plain.put_object(Bucket=s3_place.bucket, Key=entry["Key"], Body=b"other")
        return answer

    s3_proxy.add(replaced, "PUT", where=is_trial)

    assert service(s3_place, s3_proxy.url, copy).probe() == "ignored"


def test_a_blob_that_is_there_is_not_replaced(conditional, s3_place, s3_proxy):
    digest = conditional.put(b"data")
    key = f"{s3_place.prefix}/objects/{digest[:2]}/{digest}"
    before = s3_place.client().head_object(Bucket=s3_place.bucket, Key=key)
    conditional.put(b"data")
    after = s3_place.client().head_object(Bucket=s3_place.bucket, Key=key)

    assert s3_proxy.kinds() == ["PUT", "PUT", "HEAD"]
    assert [is_conditional(request) for request in s3_proxy.seen] == [True, True, False]
    assert before["LastModified"] == after["LastModified"]


def test_a_blob_that_is_there_in_part_is_replaced(conditional, s3_place):
    data = os.urandom(1000)
    digest = conditional.put(data)
    key = f"{s3_place.prefix}/objects/{digest[:2]}/{digest}"
    s3_place.client().put_object(Bucket=s3_place.bucket, Key=key, Body=b"cut off")

    conditional.put(data)

    assert conditional.get(digest) == data


def test_a_conditional_put_whose_answer_is_lost_has_succeeded(conditional, s3_proxy):
    s3_proxy.add(lost(), "PUT")
    digest = conditional.put(b"data")

    assert conditional.get(digest) == b"data"
    assert s3_proxy.kinds() == ["PUT", "PUT", "HEAD", "GET"]


def test_writers_of_equal_blobs_at_once_all_succeed(conditional):
    digests = conditional.put_many([b"data"] * 8)

    assert [*conditional.get_many(digests).values()] == [b"data"]


def test_an_object_of_another_program_is_not_taken_for_a_store(s3_place, copy):
    s3_place.bucket_at().put(f"{s3_place.prefix}/format", [b"restic 2\n"])

    with pytest.raises(S3Exception, match="a format that this flowkit doesn't know: 'restic 2'"):
        service(s3_place, "", copy).probe()


def test_a_store_that_can_not_be_used_says_why(s3_place, copy):
    with pytest.raises(S3BucketNotFound):
        Place(s3_place.server, "p", "no-such-bucket").store(copy=copy).probe()
    with pytest.raises(S3AccessDenied):
        s3_place.store(copy=copy, access="READONLY").probe()


def test_who_may_not_delete_can_make_a_store(s3_place, s3_proxy, copy):
    s3_proxy.add(status(403, "AccessDenied"), "DELETE", reaches_server=False)

    assert service(s3_place, s3_proxy.url, copy).probe() == "honoured"


def test_a_copy_that_can_not_be_kept_is_done_without(s3_place, tmp_path):
    (tmp_path / "file").touch()
    made = service(s3_place, "", str(tmp_path / "file" / "service"))

    assert made.probe() == "honoured"
    assert made.is_conditional()
    assert not service(s3_place, "", str(tmp_path / "file" / "service")).is_conditional()


@pytest.mark.parametrize("kind", ["AES256", "aws:kms"])
def test_options_go_with_every_put(s3_place, s3_proxy, copy, kind):
    from flowkit.stores.s3 import S3BlobStore

    options = {"ServerSideEncryption": kind}
    bucket = s3_place.bucket_at(s3_proxy.url)
    # This server can't encrypt: what counts is what it is asked for.
    s3_proxy.add(well, "PUT", reaches_server=False)
    with pytest.raises(S3Exception):
        S3BlobStore(bucket, s3_place.prefix, options).put(b"data")

    (put, *_) = (request for request in s3_proxy.seen if request.method == "PUT")
    assert dict(put.headers)["x-amz-server-side-encryption"] == kind
