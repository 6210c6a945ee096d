"""Addresses of buckets and objects: ``s3://bucket/key``."""

import re

from flowkit.exceptions import S3URLException

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}")
SCHEME = "s3://"


def split_url(url: str) -> tuple[str, str]:
    """Return bucket and key of a URL; the key may be empty, and has no slash at its start.

    Raises:
        S3URLException: It is no such URL.
    """
    bucket, _, key = url.removeprefix(SCHEME).partition("/")
    if not url.startswith(SCHEME) or not _BUCKET.fullmatch(bucket):
        raise S3URLException(f"{url!r} is not of the form s3://BUCKET/KEY")
    return bucket, key.lstrip("/")
