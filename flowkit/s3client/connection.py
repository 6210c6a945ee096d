"""One client of an S3 service per process, cheap to have in each process that is forked."""

import io
import os
import threading
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from flowkit.exceptions import S3URLException

PARALLEL = 16
"""Requests that one process has under way at once."""

_CONNECT_TIMEOUT = 10  # seconds; what is lost is retried
_READ_TIMEOUT = 60  # seconds of silence; some services take long to tell the loser of a race
_loader: ContextVar[Any] = ContextVar("flowkit_s3_loader", default=None)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Which service is meant, and who asks; credentials come from boto3's own chain.

    Attributes:
        url: Of a service that is not Amazon's; "" for Amazon's, or what AWS_ENDPOINT_URL says.
        role: ARN of a role to assume first.
        session: More arguments of ``boto3.session.Session``.
        client: More arguments of boto3's ``client``, ``config`` among them.
    """

    url: str = ""
    role: str | None = None
    session: Mapping[str, Any] = field(default_factory=dict)
    client: Mapping[str, Any] = field(default_factory=dict)


class Connection:
    """Gives each process a client of its own, to be shared by its threads.

    A client belongs to the first process that asks for it. One that was prepared and not used
    yet has no socket: so the process that forks tasks prepares one, and each of them finds its
    own copy of it ready. Whoever is forked later, from a process that uses its client, makes
    another one.

    Args:
        endpoint: The service.
        client: A ready client to use in all cases instead.
    """

    def __init__(self, endpoint: Endpoint, client: Any = None) -> None:
        self.endpoint = endpoint
        self._given = client
        self._client: Any = None
        self._owner = 0
        self._lock = threading.Lock()

    def prepare(self) -> None:
        """Do all that does not need the network, in a process that is about to fork others."""
        if self._given is None and self._client is None:
            self._client = _make_client(self.endpoint)
            _walk_through(self._client)

    def client(self) -> Any:
        """Return this process's client.

        Raises:
            S3URLException: The endpoint's URL is malformed.
            botocore.exceptions.BotoCoreError: The configuration or the credentials are wrong.
        """
        if self._given is not None:
            return self._given
        pid = os.getpid()
        if self._owner != pid:
            if self._owner:
                self._lock = threading.Lock()  # the other process may have held it
            with self._lock:
                if self._owner not in (0, pid) or self._client is None:
                    self._client = _make_client(self.endpoint)
                self._owner = pid
        return self._client

    def renew(self) -> None:
        """Look for credentials anew: those in use have expired."""
        with self._lock:
            self._client = None
            self._owner = 0


def _make_client(endpoint: Endpoint) -> Any:
    # These take 0.2 s: only whoever really sends requests needs them.
    import boto3  # noqa: PLC0415
    import botocore.session  # noqa: PLC0415
    from botocore.config import Config  # noqa: PLC0415

    core = botocore.session.get_session()
    if _loader.get() is None:
        _loader.set(core.get_component("data_loader"))
    core.register_component("data_loader", _loader.get())  # it has parsed the service's model
    session: Any = boto3.session.Session(botocore_session=core, **endpoint.session)
    arguments = dict(endpoint.client)
    if endpoint.role is not None:
        arguments |= _assumed(session, endpoint.role)
    if endpoint.url:
        arguments.setdefault("endpoint_url", endpoint.url)
        if session.region_name is None:
            arguments.setdefault("region_name", "us-east-1")  # others don't look at it
    config = Config(
        connect_timeout=_CONNECT_TIMEOUT,
        read_timeout=_READ_TIMEOUT,
        max_pool_connections=PARALLEL,
        retries={"mode": "standard", "total_max_attempts": 1},  # see `flowkit.s3client.requests`
        s3={"addressing_style": "path"} if endpoint.url else None,
        # Ours are SHA-256. Others' services stumble over the CRCs that are sent by default.
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    given = arguments.pop("config", None)
    try:
        return session.client("s3", config=config.merge(given) if given else config, **arguments)
    except ValueError as error:
        raise S3URLException(f"the S3 endpoint can't be used: {error}") from None


def _assumed(session: Any, role: str) -> dict[str, str]:
    answer = session.client("sts").assume_role(RoleArn=role, RoleSessionName="flowkit")
    credentials = answer["Credentials"]
    return {
        "aws_access_key_id": credentials["AccessKeyId"],
        "aws_secret_access_key": credentials["SecretAccessKey"],
        "aws_session_token": credentials["SessionToken"],
    }


def _walk_through(client: Any) -> None:
    """Send a request that stops short of the network: what it imports and caches is inherited."""
    from botocore.awsrequest import AWSResponse  # noqa: PLC0415 - loaded by now
    from botocore.compat import HTTPHeaders  # noqa: PLC0415
    from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    from urllib3 import HTTPResponse  # noqa: PLC0415

    def answer(request: Any, **_: Any) -> AWSResponse:
        return AWSResponse(request.url, 200, HTTPHeaders(), HTTPResponse(io.BytesIO()))

    events = client.meta.events
    events.register_first("before-send.s3", answer, unique_id="flowkit")
    try:
        client.put_object(Bucket="flowkit", Key="k", Body=b"b")
    except BotoCoreError:
        return  # no credentials, for one: the first real request will tell
    finally:
        events.unregister("before-send.s3", unique_id="flowkit")
