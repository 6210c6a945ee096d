"""``flowkit store init, info, check, migrate`` on stores of this, an older and a newer flowkit."""

from contextlib import closing

import pytest

from flowkit.metastore.migrations import SCHEMA_VERSION, load_migrations
from tests.faults.test_metadata_migrations import Postgres, Sqlite, insert_run

FLOW = """
class Train(FlowSpec):
    @step
    def start(self):
        self.x = 1
        self.next(self.end)

    @step
    def end(self):
        print("x is", self.x)
"""


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request, tmp_path):
    if request.param == "sqlite":
        return Sqlite(tmp_path / ".flowkit" / "flowkit.db")
    return Postgres(request.getfixturevalue("postgres_url"), tmp_path)


@pytest.fixture
def flow(program, database):
    made = program(FLOW)
    if isinstance(database, Postgres):
        plain = made.environment
        made.environment = lambda **more: plain(**{"FLOWKIT_METADATA": database.url, **more})
    return made


def make_older(database, version):
    if isinstance(database, Sqlite):
        database.path.parent.mkdir()
    with closing(database.connect()) as connection:
        database.migrate(connection, load_migrations()[:version])
        connection.transaction(insert_run)


def make_newer(database):
    """Do what a flowkit of the future would do to its store."""
    with closing(database.connect()) as connection:
        statement = (
            f"INSERT INTO schema_version VALUES ({SCHEMA_VERSION + 1}, 1, {SCHEMA_VERSION + 1},"
            " '9.9')"
        )
        connection.transaction(lambda session: session.run_script([statement]))


def test_a_store_is_made_described_and_found_sound_and_making_it_again_changes_nothing(
    flow, database
):
    first = flow.store("store", "init")
    before = database.structure()
    second = flow.store("store", "init")
    info = flow.store("store", "info")
    checked = flow.store("store", "check")

    assert (first.code, second.code, info.code, checked.code) == (0, 0, 0, 0), checked.out
    assert database.structure() == before
    assert f"schema: version {SCHEMA_VERSION}" in checked.out
    assert "runs: 0" in info.out


@pytest.mark.parametrize("version", [1, SCHEMA_VERSION - 1])
def test_an_older_store_is_migrated_and_used_on(flow, database, version):
    make_older(database, version)
    before = flow("run")
    migrated = flow.store("store", "migrate")
    after = flow("run")
    listed = flow.store("runs", "Train")

    if isinstance(database, Postgres):  # a team decides when
        assert before.code == 7
        assert "once everyone who uses it has updated, run 'flowkit store migrate'" in before.err
    else:
        assert before.code == 0, before.err
        assert database.path.with_name(f"flowkit.db.schema{version}").exists()
    assert (migrated.code, after.code) == (0, 0), migrated.err + after.err
    assert "Train/1 " in listed.out
    assert "Train/2 " in listed.out


def test_a_newer_store_is_read_and_refused_for_writing(flow, database):
    assert flow("run").code == 0
    make_newer(database)
    before = database.structure()
    refused = [flow("run"), flow.store("store", "migrate"), flow.store("store", "init")]
    listed = flow.store("runs", "Train")
    info = flow.store("store", "info")

    for outcome in refused:
        assert outcome.code == 7, outcome.out + outcome.err
        assert "was written by a newer flowkit: needs flowkit >= 9.9" in outcome.err
        assert "Traceback" not in outcome.err
    assert (listed.code, info.code) == (0, 0)
    assert "Train/1 " in listed.out
    assert database.structure() == before
