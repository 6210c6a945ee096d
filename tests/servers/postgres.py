"""A real PostgreSQL server for tests: started once per session, one schema of its own per test."""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tests.servers.lifecycle import started, unavailable

START_TIMEOUT = 60.0
# Looked up before any fork.
_PRCTL = getattr(ctypes.CDLL(None), "prctl", None)
CAREFUL = "careful"
"""The user, to be created by whoever needs it, who has to give a password."""
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "100",
    "shared_buffers": "32MB",
    "full_page_writes": "off",
    # A power cut is not what these tests are about. Whoever relies on a commit that a server's
    # own default makes unsafe must turn that on: so it is off here.
    "fsync": "off",
    "synchronous_commit": "off",
}


class MissingProgram(Exception):
    """The server's programs are not installed."""


def programs() -> Path:
    """Return the directory of the server's programs."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[4]))
    found = debian[-1] if debian else shutil.which("initdb")
    if found is None:
        raise MissingProgram("PostgreSQL's programs are not installed (apt install postgresql)")
    return Path(found).resolve().parent


def free_port() -> int:
    """Return a port of the loopback interface that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class PostgresServer:
    """A cluster in a directory of its own, and its server.

    The superuser is ``flowkit``. The server runs as ``postgres`` when the tests run as root,
    which it refuses; that user can't enter pytest's directories.
    """

    def __init__(self) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="flowkit-postgres-"))
        self.data = self.root / "data"
        self.port = free_port()
        self._programs = programs()
        self._process: subprocess.Popen[bytes] | None = None
        self._user: dict[str, object] = {}
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            self._user = {"user": owner.pw_uid, "group": owner.pw_gid, "extra_groups": []}
            os.chown(self.root, owner.pw_uid, owner.pw_gid)

    def url(self, database: str = "postgres", **options: str) -> str:
        """Return the URL of a database; options are those of libpq."""
        query = "&".join(f"{name}={value}" for name, value in options.items())
        return f"postgresql://flowkit@127.0.0.1:{self.port}/{database}?{query}".rstrip("?")

    def create(self) -> None:
        """Create the cluster."""
        # Texts are compared as people do it: not by their bytes, as in SQLite.
        locale = ["--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US"]
        options = ["-U", "flowkit", "-A", "trust", "-E", "UTF8", *locale, "-N"]
        self.run_as_owner([self._programs / "initdb", "-D", self.data, *options])
        access = self.data / "pg_hba.conf"
        access.write_text(f"host all {CAREFUL} all scram-sha-256\n{access.read_text()}")

    def start(self, **settings: str) -> None:
        """Start the server and wait until it answers."""
        chosen = {**SETTINGS, "unix_socket_directories": str(self.root), **settings}
        options = [word for pair in chosen.items() for word in ("-c", "=".join(pair))]
        command = [self._programs / "postgres", "-D", self.data, "-p", str(self.port), *options]
        with (self.root / "log").open("ab") as log:
            self._process = subprocess.Popen(  # type: ignore[call-overload]
                command,
                cwd="/",
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - calls the kernel, no more
                **self._user,
            )
        pause = threading.Event()
        for _ in range(int(START_TIMEOUT / 0.02)):
            if self._process.poll() is not None:
                raise RuntimeError((self.root / "log").read_text()[-2000:])
            with suppress(psycopg.OperationalError):
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            pause.wait(0.02)
        raise TimeoutError("PostgreSQL did not start")

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop the server: at once (SIGQUIT), orderly (SIGINT), or by SIGKILL."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def restart(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """Stop the server and start it again."""
        self.stop(how)
        pause = threading.Event()
        for _ in range(200):
            try:
                self.start()
            except RuntimeError:  # children of a killed server live on for a moment
                pause.wait(0.05)
            else:
                return
        raise TimeoutError("PostgreSQL did not start again")

    def wipe(self) -> None:
        """Stop the server and remove everything."""
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def run_as_owner(self, command: Sequence[str | Path], cwd: str | Path = "/") -> None:
        """Run a command as the user who owns the cluster."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run(command, check=True, cwd=cwd, **quiet, **self._user)  # type: ignore[call-overload]


def _end_with_parent() -> None:
    """Let this process end when its parent does, however that ends."""
    if _PRCTL is not None:
        _PRCTL(1, signal.SIGQUIT)


def new_server() -> PostgresServer:
    """Return a server that runs; skip the test where there is none, but never in CI."""
    try:
        server = PostgresServer()
    except MissingProgram as missing:
        unavailable(str(missing))
    return started(server, _create_and_start)


def _create_and_start(server: PostgresServer) -> None:
    server.create()
    server.start()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """The server that tests share; nobody stops it."""
    server = new_server()
    yield server
    server.wipe()


@pytest.fixture
def own_postgres_server() -> Iterator[PostgresServer]:
    """A server for one test, to be treated badly."""
    server = new_server()
    yield server
    server.wipe()


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of an empty schema."""
    name = f"test_{abs(hash(request.node.nodeid)):x}"
    with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
        admin.execute(f"CREATE SCHEMA {name}".encode())
        yield postgres_server.url(options=f"-csearch_path%3D{name}")
        # Readers of other processes may still be there; nobody waits for them.
        admin.execute("SET client_min_messages = warning")
        admin.execute(f"DROP SCHEMA {name} CASCADE".encode())
