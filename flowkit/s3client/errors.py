"""What can go wrong with a request to S3: whether waiting helps, and one sentence for people.

The sentences are our own: a service's text may repeat a token that it was sent.
"""

import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from enum import Enum
from http import HTTPStatus

from botocore import exceptions as botocore
from botocore.parsers import ResponseParserError

from flowkit.exceptions import (
    S3AccessDenied,
    S3BucketNotFound,
    S3Exception,
    S3InvalidRange,
    S3NotFound,
    S3ObjectChanged,
    S3URLException,
)


class Trouble(Enum):
    """The kinds of failures; the first four may pass."""

    BUSY = "the service is overloaded or has failed"
    UNREACHABLE = "the service does not answer"
    DAMAGED = "the bytes were damaged on their way"
    EXPIRED = "the credentials have expired"
    DENIED = "access is denied"
    NO_CREDENTIALS = "no credentials were found"
    SKEWED = "the clock of this machine is wrong"
    NO_BUCKET = "there is no such bucket"
    MISSING = "there is no such object"
    NO_SUCH_RANGE = "the object has no such range"
    CHANGED = "the object was changed meanwhile"
    UNUSABLE = "the address can't be used"
    REFUSED = "the service refused the request"


_REMEDIES = {
    Trouble.EXPIRED: "sign in again, then resume",
    Trouble.DENIED: "check the credentials and what they allow",
    Trouble.NO_CREDENTIALS: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or AWS_PROFILE, or"
    " run 'aws configure'",
    Trouble.SKEWED: "set the clock",
    Trouble.NO_BUCKET: "create it, or check its name and the endpoint",
}
_RAISED: Mapping[Trouble, type[S3Exception]] = {
    Trouble.EXPIRED: S3AccessDenied,
    Trouble.DENIED: S3AccessDenied,
    Trouble.NO_CREDENTIALS: S3AccessDenied,
    Trouble.SKEWED: S3AccessDenied,
    Trouble.NO_BUCKET: S3BucketNotFound,
    Trouble.MISSING: S3NotFound,
    Trouble.NO_SUCH_RANGE: S3InvalidRange,
    Trouble.CHANGED: S3ObjectChanged,
    Trouble.UNUSABLE: S3URLException,
}
_BY_CODE = {
    "RequestTimeout": Trouble.BUSY,
    "SlowDown": Trouble.BUSY,
    "Throttling": Trouble.BUSY,
    "ThrottlingException": Trouble.BUSY,
    "RequestLimitExceeded": Trouble.BUSY,
    "BandwidthLimitExceeded": Trouble.BUSY,
    "OperationAborted": Trouble.BUSY,
    "ConditionalRequestConflict": Trouble.BUSY,
    "BadDigest": Trouble.DAMAGED,
    "IncompleteBody": Trouble.DAMAGED,
    "XAmzContentSHA256Mismatch": Trouble.DAMAGED,
    "XAmzContentChecksumMismatch": Trouble.DAMAGED,
    "ExpiredToken": Trouble.EXPIRED,
    "ExpiredTokenException": Trouble.EXPIRED,
    "TokenRefreshRequired": Trouble.EXPIRED,
    "InvalidAccessKeyId": Trouble.DENIED,
    "InvalidToken": Trouble.DENIED,
    "RequestTimeTooSkewed": Trouble.SKEWED,
    "NoSuchBucket": Trouble.NO_BUCKET,
    "InvalidBucketName": Trouble.UNUSABLE,
}
_BY_STATUS = {
    401: Trouble.DENIED,
    403: Trouble.DENIED,
    404: Trouble.MISSING,
    412: Trouble.CHANGED,
    416: Trouble.NO_SUCH_RANGE,
    429: Trouble.BUSY,
    501: Trouble.REFUSED,
    507: Trouble.REFUSED,
}
_BY_CLASS: tuple[tuple[type[Exception], Trouble], ...] = (
    (botocore.NoCredentialsError, Trouble.NO_CREDENTIALS),
    (botocore.PartialCredentialsError, Trouble.NO_CREDENTIALS),
    (botocore.ProfileNotFound, Trouble.NO_CREDENTIALS),
    (botocore.SSOError, Trouble.EXPIRED),
    (botocore.TokenRetrievalError, Trouble.EXPIRED),
    (botocore.CredentialRetrievalError, Trouble.DENIED),
    (botocore.ResponseStreamingError, Trouble.DAMAGED),
    (botocore.IncompleteReadError, Trouble.DAMAGED),
    (botocore.SSLError, Trouble.REFUSED),
    (botocore.ConnectionError, Trouble.UNREACHABLE),
    (botocore.HTTPClientError, Trouble.UNREACHABLE),
    (ResponseParserError, Trouble.BUSY),  # what can't be parsed is no answer of a healthy service
)
_LARGEST_SKEW = 300  # seconds; Amazon refuses requests from 15 minutes on, others earlier


def trouble_of(error: Exception) -> Trouble:
    """Return what kind of failure an exception of boto3 is."""
    if not isinstance(error, botocore.ClientError):
        known = (trouble for cls, trouble in _BY_CLASS if isinstance(error, cls))
        return next(known, Trouble.UNUSABLE)
    status = _status(error)
    by_code = _BY_CODE.get(_code(error))
    if by_code is not None:
        return by_code
    if status == HTTPStatus.FORBIDDEN and abs(skew_of(error) or 0) > _LARGEST_SKEW:
        return Trouble.SKEWED
    if status in _BY_STATUS:
        return _BY_STATUS[status]
    return Trouble.BUSY if status >= HTTPStatus.INTERNAL_SERVER_ERROR else Trouble.REFUSED


def skew_of(error: botocore.ClientError) -> float | None:
    """Return by how many seconds this machine's clock is ahead of the service's, if known."""
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    try:
        return time.time() - parsedate_to_datetime(headers["date"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None


def raised(error: Exception, doing: str, place: str, waited: str = "") -> S3Exception:
    """Return the exception that tells of a failure in one sentence.

    Args:
        error: What boto3 raised.
        doing: What was being done, such as "read".
        place: Where: a URL without credentials.
        waited: For how long it was tried, if it was.
    """
    trouble = trouble_of(error)
    facts = [_fact(trouble, error), waited, _REMEDIES.get(trouble, "")]
    message = f"can't {doing} {place}: {'; '.join(fact for fact in facts if fact)}"
    return _RAISED.get(trouble, S3Exception)(message)


def _fact(trouble: Trouble, error: Exception) -> str:
    if not isinstance(error, botocore.ClientError):
        return f"{trouble.value} ({type(error).__name__})"
    detail = f"{_status(error)} {_code(error)}"
    request = error.response.get("ResponseMetadata", {}).get("RequestId")
    if request:
        detail += f", request {request}"
    if trouble is Trouble.SKEWED:
        skew = skew_of(error)
        if skew is not None:
            detail += f", it is {abs(skew):.0f} seconds {'ahead' if skew > 0 else 'behind'}"
    return f"{trouble.value} ({detail})"


def _status(error: botocore.ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))


def _code(error: botocore.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
