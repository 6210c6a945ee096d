"""Which URL a key stands for: relative to a run, to a root, or a URL of its own."""

from typing import Any

from flowkit.authoring.current import current
from flowkit.authoring.flowspec import FlowSpec
from flowkit.config import Settings
from flowkit.exceptions import S3URLException
from flowkit.s3client.address import SCHEME, split_url


def root_of(
    settings: Settings,
    *,
    run: Any = None,
    s3root: str | None = None,
    bucket: str | None = None,
    prefix: str | None = None,
) -> str | None:
    """Return the URL that keys are relative to, without a slash at its end; None if they are URLs.

    Raises:
        S3URLException: The arguments don't fit together.
    """
    if run is None:
        if bucket is not None or prefix is not None:
            raise S3URLException("bucket and prefix go with run: give s3root instead")
        if s3root is None:
            return None
        split_url(s3root)
        return s3root.rstrip("/")
    if s3root is not None:
        raise S3URLException("give run or s3root, not both")
    default_bucket, default_prefix = _default(settings, bucket)
    parts = (prefix if prefix is not None else default_prefix).strip("/"), _pathspec(run)
    return f"{SCHEME}{bucket or default_bucket}/{'/'.join(part for part in parts if part)}"


def url_of(root: str | None, key: str | None) -> str:
    """Return the URL of a key; None stands for the root itself.

    Raises:
        S3URLException: A URL was given to a client with a root, or a key to one without.
    """
    if key is None:
        if root is None:
            raise S3URLException("a key is needed unless the client has run or s3root")
        return root
    if not isinstance(key, str):
        raise S3URLException(f"a key is a string, not {key!r}")
    is_url = key.startswith(SCHEME)
    if root is None:
        if not is_url:
            raise S3URLException(
                f"{key!r} is no URL: start it with s3://, or give the client run or s3root"
            )
        split_url(key)
        return key
    if is_url:
        raise S3URLException(f"{key!r} is a URL, but the client has run or s3root: give a key")
    return f"{root}/{key.lstrip('/')}"


def _default(settings: Settings, bucket: str | None) -> tuple[str, str]:
    """Return bucket and prefix below which runs have their keys."""
    url = settings.datatools_s3root
    if not url and settings.datastore.startswith(SCHEME):
        url = f"{settings.datastore.rstrip('/')}/data"
    if url:
        return split_url(url)
    if bucket:
        return bucket, ""
    raise S3URLException(
        "S3(run=...) needs a place: set FLOWKIT_DATATOOLS_S3ROOT to s3://BUCKET/PREFIX"
    )


def _pathspec(run: Any) -> str:
    """Return flow and id of a run, given as the flow's instance in a step or by the client."""
    if isinstance(run, FlowSpec):
        if not current.is_running_flow:
            raise S3URLException("S3(run=self) works in a step only: give s3root")
        return f"{current.flow_name}/{current.run_id}"
    pathspec = getattr(run, "pathspec", "")
    if pathspec.count("/") != 1:
        raise S3URLException(f"run is self or a Run, not {run!r}")
    return str(pathspec)
