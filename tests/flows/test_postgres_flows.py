"""Flows whose metadata is in PostgreSQL, through the real command line."""

import json
import pickle
import re
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import conninfo

from flowkit import Flow, Run, default_metadata, metadata, namespace
from flowkit.metastore.postgres import open_reader
from tests.servers.postgres import CAREFUL, free_port

pytestmark = pytest.mark.postgres
PASSWORD = "open:sesame"
FLOW = """
class Score(FlowSpec):
    n = Parameter("n", default=3)

    @step
    def start(self):
        self.items = list(range(self.n))
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.y = self.input * 10
        print("working on", self.input)
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(i.y for i in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("total", self.total)
"""


@pytest.fixture
def careful_url(postgres_server, postgres_url):
    """The URL of an empty schema for a user who has to give a password."""
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        ((schema,),) = admin.execute("SELECT current_schema()").fetchall()
        admin.execute(f"DROP ROLE IF EXISTS {CAREFUL}")
        admin.execute(f"CREATE ROLE {CAREFUL} LOGIN PASSWORD '{PASSWORD}'")
        admin.execute(f"GRANT ALL ON SCHEMA {schema} TO {CAREFUL}")
        yield postgres_url.replace("flowkit@", f"{CAREFUL}:open%3Asesame@")
        admin.execute(f"DROP OWNED BY {CAREFUL}")
        admin.execute(f"DROP ROLE {CAREFUL}")


GRANTS = """
CREATE ROLE flow_writers;
CREATE ROLE flow_readers;
ALTER DEFAULT PRIVILEGES FOR ROLE flowkit
    GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO flow_writers;
ALTER DEFAULT PRIVILEGES FOR ROLE flowkit GRANT SELECT ON TABLES TO flow_readers;
"""
"""What docs/howto/team.md tells owners of a database."""


@pytest.fixture
def people(postgres_url):
    """URLs of an empty schema for two people: one may write, the other one only read."""
    with psycopg.connect(postgres_url, autocommit=True) as admin:
        ((schema,),) = admin.execute("SELECT current_schema()").fetchall()
        admin.execute(GRANTS)
        admin.execute(f"GRANT USAGE ON SCHEMA {schema} TO PUBLIC")
        admin.execute("CREATE ROLE ada LOGIN IN ROLE flow_writers")
        admin.execute("CREATE ROLE ben LOGIN IN ROLE flow_readers")
        yield [postgres_url.replace("flowkit@", f"{name}@") for name in ("ada", "ben")]
        admin.execute("DROP OWNED BY flow_writers, flow_readers, ada, ben CASCADE")
        admin.execute("DROP ROLE flow_writers, flow_readers, ada, ben")


def test_the_privileges_that_the_docs_name_are_enough(program, postgres_url, people):
    flow = program(FLOW)
    writer, reader = people
    made = flow.store("store", "init", FLOWKIT_METADATA=postgres_url)
    ran = flow("run", FLOWKIT_METADATA=writer)
    checked = flow.store("store", "check", FLOWKIT_METADATA=writer)
    swept = flow.store("gc", "--force", FLOWKIT_METADATA=writer)
    listed = flow.store("runs", "--json", FLOWKIT_METADATA=reader)
    dumped = flow("dump", "1/join", FLOWKIT_METADATA=reader)
    refused = flow("run", FLOWKIT_METADATA=reader)

    assert (made.code, ran.code, checked.code, swept.code) == (0, 0, 0, 0), ran.err + swept.err
    assert json.loads(listed.out)[0]["status"] == "succeeded"
    assert dumped.code == 0, dumped.err
    assert refused.code == 7
    assert "permission denied" in refused.err
    assert "Traceback" not in refused.err
    assert GRANTS.strip().split(";\n")[2] in (
        Path(__file__).parents[2] / "docs" / "howto" / "team.md"
    ).read_text(encoding="utf-8")


def everything_in(directory):
    return b"".join(path.read_bytes() for path in directory.rglob("*") if path.is_file())


def test_a_run_is_read_back_by_client_and_commands_and_the_password_is_nowhere(
    program, careful_url, tmp_path, monkeypatch
):
    flow = program(FLOW)
    given = {"FLOWKIT_METADATA": careful_url}
    facts = tmp_path / "facts.json"
    ran = flow("run", "--runner-attribute-file", str(facts), **given)
    listed = flow.store("runs", "Score", "--json", **given)
    info = flow.store("store", "info", **given)
    checked = flow.store("store", "check", **given)

    assert ran.code == 0, ran.err
    assert json.loads(listed.out)[0]["status"] == "succeeded"
    assert checked.code == 0, checked.out
    assert not (tmp_path / ".flowkit" / "flowkit.db").exists()

    monkeypatch.setenv("FLOWKIT_METADATA", careful_url)
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path))
    namespace(None)
    location = metadata(careful_url)
    run = Run("Score/1")
    again = pickle.loads(pickle.dumps(run))

    assert run.data.total == 30
    assert again["end"].task.data.total == 30
    shown = ran.out + ran.err + listed.out + info.out + checked.out + location
    with psycopg.connect(careful_url) as connection:
        rows = connection.execute(
            "SELECT r::text FROM run r UNION ALL SELECT t::text FROM task t"
            " UNION ALL SELECT a::text FROM attempt a UNION ALL SELECT x::text FROM artifact x"
        ).fetchall()
    stored = everything_in(tmp_path / ".flowkit") + facts.read_bytes() + pickle.dumps(run)
    assert "sesame" not in shown + str(rows)
    assert b"sesame" not in stored
    assert location.startswith(f"postgresql://{CAREFUL}@127.0.0.1:")


def test_a_run_that_is_killed_is_crashed_at_once_and_can_be_resumed(
    program, postgres_url, tmp_path, monkeypatch
):
    flow = program(
        """
        import os, signal
        class Fatal(FlowSpec):
            @step
            def start(self):
                self.x = 1
                self.next(self.end)
            @step
            def end(self):
                if not os.path.exists("again"):
                    open("again", "w").close()
                    os.kill(int(open("driver").read()), signal.SIGKILL)
                    signal.pause()
        """
    )
    monkeypatch.setenv("FLOWKIT_METADATA", postgres_url)
    starter = (
        "import os, sys; open('driver', 'w').write(str(os.getpid())); "
        "os.execv(sys.executable, [sys.executable, 'flow.py', 'run'])"
    )
    killed = subprocess.run(
        [sys.executable, "-c", starter],
        cwd=tmp_path,
        env=flow.environment(FLOWKIT_METADATA=postgres_url),
        capture_output=True,
        check=False,
        timeout=60,
    )
    with closing(open_reader(postgres_url, tmp_path / ".flowkit" / "locks")) as reader:
        crashed = reader.run("Fatal", "1")
    resumed = flow("resume", FLOWKIT_METADATA=postgres_url)
    with closing(open_reader(postgres_url, tmp_path / ".flowkit" / "locks")) as reader:
        statuses = [run.status.value for run in reader.runs()]

    assert killed.returncode == -signal.SIGKILL
    assert crashed.status.value == "crashed"
    assert resumed.code == 0, resumed.err
    assert statuses == ["succeeded", "crashed"]


def without_password(url):
    return url.replace(":open%3Asesame@", "@")


def by_environment(url, directory):
    return without_password(url), {"PGPASSWORD": PASSWORD}


def by_password_file(url, directory):
    path = directory / "passwords"
    path.write_text(f"*:*:*:{CAREFUL}:{PASSWORD.replace(':', chr(92) + ':')}\n")
    path.chmod(0o600)
    return without_password(url), {"PGPASSFILE": str(path)}


def by_option(url, directory):
    return f"{without_password(url)}&password=open%3Asesame", {}


def by_service(url, directory):
    given = conninfo.conninfo_to_dict(url)
    lines = [f"{key}={value}" for key, value in given.items() if key != "options"]
    (directory / "services").write_text("\n".join(["[team]", *lines]))
    options = url.partition("?")[2]
    return f"postgresql://?service=team&{options}", {"PGSERVICEFILE": str(directory / "services")}


@pytest.mark.parametrize("way", [by_environment, by_password_file, by_option, by_service])
def test_a_password_may_come_from_where_libpq_takes_it_and_is_seen_nowhere(
    program, careful_url, tmp_path_factory, way
):
    url, variables = way(careful_url, tmp_path_factory.mktemp("secrets"))
    flow = program(
        """
        import os
        class Looking(FlowSpec):
            @step
            def start(self):
                pid, self.lines = os.getpid(), []
                while pid > 1:
                    self.lines.append(open(f"/proc/{pid}/cmdline", "rb").read())
                    pid = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
                self.next(self.end)
            @step
            def end(self):
                assert len(self.lines) > 2
                print("seen" if any(b"ses" b"ame" in line for line in self.lines) else "not seen")
        """
    )
    given = {"FLOWKIT_METADATA": url, "FLOWKIT_EXECUTOR": "spawn", **variables}
    ran = flow("run", **given)
    info = flow.store("store", "info", **given)

    assert ran.code == 0, ran.err
    assert ran.lines == ["not seen"]
    assert "PostgreSQL" in info.out, info.out + info.err
    assert "sesame" not in ran.out + ran.err + info.out + info.err
    assert b"sesame" not in everything_in(flow.directory)


def test_a_traceback_that_was_asked_for_has_no_password(program, careful_url):
    url = careful_url.replace("/postgres?", "/nowhere?")
    outcome = program(FLOW)("--verbose", "run", FLOWKIT_METADATA=url)

    assert outcome.code == 7
    assert "psycopg" in outcome.err
    assert "sesame" not in outcome.out + outcome.err


def test_two_directories_share_one_database(program, postgres_url, tmp_path, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    flow = program(FLOW)
    first = flow("run", FLOWKIT_METADATA=postgres_url)
    second = flow("run", FLOWKIT_METADATA=postgres_url, FLOWKIT_HOME=str(elsewhere))
    listed = flow.store("runs", "--json", FLOWKIT_METADATA=postgres_url)

    assert (first.code, second.code) == (0, 0)
    assert [row["run"] for row in json.loads(listed.out)] == ["Score/2", "Score/1"]


def wrong_password(url):
    return url.replace("sesame", "barley")


def unknown_database(url):
    return url.replace("/postgres?", "/nowhere?")


def closed_port(url):
    return re.sub(r":\d+/", f":{free_port()}/", url)


def unknown_host(url):
    return url.replace("127.0.0.1", "no-such-host.invalid")


def tls_refused(url):
    return f"{url}&sslmode=require"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (wrong_password, "password authentication failed"),
        (unknown_database, 'database "nowhere" does not exist'),
        (closed_port, "Connection refused"),
        (unknown_host, "no-such-host.invalid"),
        (tls_refused, "SSL"),
    ],
)
def test_what_can_t_be_reached_is_one_clear_message_and_exit_7(program, careful_url, spoil, says):
    url = spoil(careful_url)
    flow = program(FLOW)
    outcome = flow("run", FLOWKIT_METADATA=url)

    assert outcome.code == 7
    assert "Metadata unavailable" in outcome.err
    assert says in outcome.err
    assert "Traceback" not in outcome.out + outcome.err
    assert "sesame" not in outcome.out + outcome.err
    assert "barley" not in outcome.out + outcome.err
    checked = flow.store("store", "check", FLOWKIT_METADATA=url)
    assert checked.code == 7
    assert says in checked.out
    assert "sesame" not in checked.out + checked.err


@pytest.mark.parametrize(
    "url",
    ["postgresql://ada:s3@cr3t@db/x", "postgresq://ada:s3cr3t@db/x", "postgresql:ada:s3cr3t@db"],
)
def test_a_url_that_means_nothing_is_a_usage_error_and_is_not_repeated(program, url):
    outcome = program(FLOW)("run", FLOWKIT_METADATA=url)

    assert outcome.code == 2
    assert "cr3t" not in outcome.out + outcome.err


def test_without_the_driver_of_the_database_it_says_what_to_install(program, tmp_path):
    (tmp_path / "psycopg.py").write_text("raise ImportError('no psycopg here')")
    flow = program(FLOW)
    given = {"FLOWKIT_METADATA": "postgresql://db/x", "PYTHONPATH": str(tmp_path)}
    outcome = flow.store("flows", **given)

    assert outcome.code == 2
    assert 'pip install "flowkit[postgres]"' in outcome.err


def test_a_flow_that_does_not_use_it_never_loads_the_driver(program, tmp_path):
    (tmp_path / "psycopg.py").write_text("raise SystemExit('loaded')")
    outcome = program(FLOW)("run", PYTHONPATH=str(tmp_path))

    assert outcome.code == 0, outcome.err


def test_client_objects_find_the_configured_store_without_carrying_its_password(
    program, careful_url, tmp_path, monkeypatch
):
    program(FLOW)("run", FLOWKIT_METADATA=careful_url)
    monkeypatch.setenv("FLOWKIT_METADATA", careful_url)
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path))
    default_metadata()
    namespace(None)
    carried = pickle.dumps(Flow("Score"))
    reading = "import pickle, sys; print(pickle.load(sys.stdin.buffer).latest_run.data.total)"
    done = subprocess.run(
        [sys.executable, "-c", reading], input=carried, capture_output=True, check=False
    )

    assert b"sesame" not in carried
    assert done.stdout == b"30\n", done.stderr


def test_a_restart_of_the_server_in_mid_run_is_not_noticed(program, own_postgres_server, tmp_path):
    flow = program(
        """
        import os, threading
        class Patient(FlowSpec):
            @step
            def start(self):
                self.items = list(range(6))
                self.next(self.work, foreach="items")
            @step
            def work(self):
                print("at work", flush=True)
                while not os.path.exists("restarted"):
                    threading.Event().wait(0.02)
                self.y = self.input
                self.next(self.join)
            @step
            def join(self, inputs):
                self.total = sum(i.y for i in inputs)
                self.next(self.end)
            @step
            def end(self):
                pass
        """
    )
    url = own_postgres_server.url()
    with flow.started("run", "--max-workers", "2", FLOWKIT_METADATA=url) as running:
        while "at work" not in (line := running.stdout.readline()):
            assert line
        own_postgres_server.stop()
        (tmp_path / "restarted").touch()
        own_postgres_server.restart()
        out, err = running.communicate()
    with psycopg.connect(url) as connection:
        attempts = connection.execute(
            "SELECT task_id, status FROM attempt ORDER BY task_id"
        ).fetchall()

    assert running.returncode == 0, out + err
    assert attempts == [(number, "succeeded") for number in range(1, 10)]
