import time
from email.utils import formatdate
from typing import Any

import pytest
from botocore import exceptions as botocore
from botocore.parsers import ResponseParserError

from flowkit.exceptions import S3AccessDenied, S3Exception, S3NotFound, StorageError
from flowkit.s3client.errors import Trouble, raised, skew_of, trouble_of


def answered(status, code="", date="", message=""):
    headers = {"date": date} if date else {}
    answer: Any = {
        "Error": {"Code": code, "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
    }
    return botocore.ClientError(answer, "GetObject")


ANSWERS = [
    (500, "InternalError", Trouble.BUSY),
    (502, "", Trouble.BUSY),
    (503, "SlowDown", Trouble.BUSY),
    (503, "503", Trouble.BUSY),
    (429, "TooManyRequests", Trouble.BUSY),
    (400, "RequestTimeout", Trouble.BUSY),
    (400, "ThrottlingException", Trouble.BUSY),
    (200, "InternalError", Trouble.REFUSED),
    (400, "BadDigest", Trouble.DAMAGED),
    (400, "ExpiredToken", Trouble.EXPIRED),
    (403, "AccessDenied", Trouble.DENIED),
    (403, "403", Trouble.DENIED),
    (403, "SignatureDoesNotMatch", Trouble.DENIED),
    (401, "Unauthorized", Trouble.DENIED),
    (400, "InvalidToken", Trouble.DENIED),
    (403, "RequestTimeTooSkewed", Trouble.SKEWED),
    (404, "NoSuchBucket", Trouble.NO_BUCKET),
    (404, "NoSuchKey", Trouble.MISSING),
    (404, "404", Trouble.MISSING),
    (412, "PreconditionFailed", Trouble.CHANGED),
    (416, "InvalidRange", Trouble.NO_SUCH_RANGE),
    (400, "InvalidBucketName", Trouble.UNUSABLE),
    (400, "InvalidArgument", Trouble.REFUSED),
    (501, "NotImplemented", Trouble.REFUSED),
    (507, "InsufficientStorage", Trouble.REFUSED),
]


@pytest.mark.parametrize(("status", "code", "trouble"), ANSWERS)
def test_answers_are_told_apart_by_code_and_status(status, code, trouble):
    assert trouble_of(answered(status, code)) is trouble


NO_ANSWERS = [
    (botocore.NoCredentialsError(), Trouble.NO_CREDENTIALS),
    (botocore.PartialCredentialsError(provider="env", cred_var="x"), Trouble.NO_CREDENTIALS),
    (botocore.ProfileNotFound(profile="p"), Trouble.NO_CREDENTIALS),
    (botocore.UnauthorizedSSOTokenError(), Trouble.EXPIRED),
    (botocore.CredentialRetrievalError(provider="p", error_msg="m"), Trouble.DENIED),
    (botocore.EndpointConnectionError(endpoint_url="u"), Trouble.UNREACHABLE),
    (botocore.ConnectTimeoutError(endpoint_url="u"), Trouble.UNREACHABLE),
    (botocore.ReadTimeoutError(endpoint_url="u"), Trouble.UNREACHABLE),
    (botocore.ConnectionClosedError(endpoint_url="u"), Trouble.UNREACHABLE),
    (botocore.ResponseStreamingError(error="e"), Trouble.DAMAGED),
    (botocore.IncompleteReadError(actual_bytes=1, expected_bytes=2), Trouble.DAMAGED),
    (botocore.SSLError(endpoint_url="u", error=ValueError()), Trouble.REFUSED),
    (botocore.ParamValidationError(report="r"), Trouble.UNUSABLE),
    (botocore.NoRegionError(), Trouble.UNUSABLE),
    (ResponseParserError("x"), Trouble.BUSY),
]


@pytest.mark.parametrize(
    ("error", "trouble"), NO_ANSWERS, ids=[type(error).__name__ for error, _ in NO_ANSWERS]
)
def test_failures_without_an_answer_are_told_apart_by_class(error, trouble):
    assert trouble_of(error) is trouble


def test_a_refusal_with_a_clock_far_off_is_blamed_on_the_clock():
    late = formatdate(time.time() - 3600, usegmt=True)
    error = answered(403, "AccessDenied", late)

    assert trouble_of(error) is Trouble.SKEWED
    assert skew_of(error) == pytest.approx(3600, abs=5)
    assert "clock of this machine is wrong (403 AccessDenied, it is 3" in str(
        raised(error, "a", "b")
    )


@pytest.mark.parametrize("date", ["", "yesterday"])
def test_an_answer_without_a_date_tells_nothing_about_the_clock(date):
    assert skew_of(answered(403, "AccessDenied", date)) is None


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_what_a_service_writes_is_never_repeated(status):
    error = answered(status, "Whatever", message="you sent the token hunter2")

    assert "hunter2" not in str(raised(error, "write", "s3://b/k"))


def test_one_sentence_names_what_where_why_and_what_to_do():
    told = raised(answered(403, "AccessDenied"), "write", "s3://b/k")

    assert str(told) == (
        "can't write s3://b/k: access is denied (403 AccessDenied); "
        "check the credentials and what they allow"
    )
    assert isinstance(told, S3AccessDenied)
    assert isinstance(told, StorageError)
    assert told.exit_code == 6


def test_classes_are_what_programs_look_for():
    assert isinstance(raised(answered(404, "NoSuchKey"), "read", "x"), S3NotFound)
    assert isinstance(raised(answered(404, "NoSuchKey"), "read", "x"), LookupError)
    assert type(raised(answered(500), "read", "x")) is S3Exception
