"""Schema versions and who may use which."""

import pytest

from flowkit.exceptions import MetadataError, SchemaTooNew
from flowkit.metastore.migrations import (
    SCHEMA_VERSION,
    Level,
    check_readable,
    check_writable,
    load_migrations,
)


def test_migrations_are_numbered_from_1_without_gap_up_to_the_code_s_own_version():
    versions = [migration.version for migration in load_migrations()]

    assert versions == list(range(1, SCHEMA_VERSION + 1))


def test_migrations_are_read_in_order(tmp_path):
    (tmp_path / "0002_second.sql").write_text("SELECT 2;\n")
    (tmp_path / "0001_first.sql").write_text("SELECT 1;\nSELECT 11;\n")
    (tmp_path / "notes.txt").write_text("nothing")
    migrations = load_migrations(tmp_path)

    assert [(each.version, each.statements) for each in migrations] == [
        (1, ("SELECT 1", "SELECT 11")),
        (2, ("SELECT 2",)),
    ]


def test_a_newer_store_may_allow_older_readers_but_no_older_writers():
    level = Level(SCHEMA_VERSION + 1, SCHEMA_VERSION, SCHEMA_VERSION + 1, "9.1.0")
    check_readable(level, "x.db")

    with pytest.raises(SchemaTooNew, match=r"x\.db .* needs flowkit >= 9\.1\.0"):
        check_writable(level, "x.db")


def test_a_newer_store_may_refuse_older_readers():
    level = Level(SCHEMA_VERSION + 1, SCHEMA_VERSION + 1, SCHEMA_VERSION + 1, "9.1.0")

    with pytest.raises(SchemaTooNew, match=r"needs flowkit >= 9\.1\.0"):
        check_readable(level, "x.db")


def test_an_older_store_waits_for_a_writer_before_it_is_read():
    with pytest.raises(MetadataError, match="older"):
        check_readable(Level(SCHEMA_VERSION - 1, 1, 1, "0.0.1"), "x.db")
