"""Named statements and their parameters."""

import re
import sqlite3

import pytest

from flowkit.metastore.migrations import load_migrations
from flowkit.metastore.statements import bind, load_statements, split_script, storable


def test_every_statement_fits_the_schema():
    connection = sqlite3.connect(":memory:")
    for migration in load_migrations():
        for statement in migration.statements:
            connection.execute(statement, {"uuid": "u", "now": 1})
    for name, statement in load_statements().items():
        bound, _ = bind(statement, {"tags": ["a", "b"]})
        names = {part for part in bound.replace(",", " ").replace(")", " ").split() if ":" in part}
        values = {word.partition(":")[2].rstrip(";"): 1 for word in names}
        explained = connection.execute(f"EXPLAIN {bound}", values).fetchall()

        assert explained, name
    connection.close()


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("runs_of_flow", "run_newest_of_flow"),
        ("tasks_of_step", "task_of_step"),
        ("children", "sqlite_autoindex_task_input_1"),
        ("artifacts", "sqlite_autoindex_artifact_1"),
        ("task", "sqlite_autoindex_task_1"),
        ("tagged_versions", "version_tag_versions (tag=? AND version<?)"),
        ("versions_of_name", "version_newest_of_name (name=? AND key<?)"),
        ("aliases_of_versions", "alias_move_of_version"),
        ("readers_in_runs", "read_by_digest (digest=? AND run=?)"),
        ("readers_by_token", "read_of_version"),
        ("writers_in_run", "artifact_by_digest (digest=? AND run=?)"),
        ("versions_from_run", "version_from_attempt"),
    ],
)
def test_what_is_asked_often_uses_an_index(name, index):
    connection = sqlite3.connect(":memory:")
    for migration in load_migrations():
        for statement in migration.statements:
            connection.execute(statement, {"uuid": "u", "now": 1})
    bound, _ = bind(load_statements()[name], {"tags": ["a"], "keys": [1]})
    values = dict.fromkeys(re.findall(r":(\w+)", bound), 1)
    plan = connection.execute(f"EXPLAIN QUERY PLAN {bound}", values).fetchall()
    connection.close()
    steps = [row[3] for row in plan]

    assert any(index in step for step in steps), steps
    assert not any(step.startswith("SCAN") and "SCAN r" not in step for step in steps), steps


def test_a_script_is_split_at_the_ends_of_its_statements():
    script = "-- a comment; with a semicolon\nSELECT 1;\n\nSELECT ';' AS x,\n  2;\n"

    assert split_script(script) == ("SELECT 1", "SELECT ';' AS x,\n  2")


def test_a_list_becomes_one_parameter_per_item():
    statement, values = bind(
        "SELECT * FROM t WHERE a IN (:tags) AND b = :tag_count",
        {"tags": ["x", "y"], "tag_count": 2},
    )

    assert statement == "SELECT * FROM t WHERE a IN (:tags_0, :tags_1) AND b = :tag_count"
    assert values == {"tags_0": "x", "tags_1": "y", "tag_count": 2}


def test_an_empty_list_matches_nothing():
    statement, values = bind("SELECT 1 WHERE 1 IN (:tags)", {"tags": []})

    assert (statement, values) == ("SELECT 1 WHERE 1 IN (NULL)", {})


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ("plain", "plain"),
        ("\u00e4\U0001f600", "\u00e4\U0001f600"),
        ("a\0b", "a\\x00b"),
        ("\udc80x", "\\udc80x"),
        (7, 7),
        (None, None),
    ],
)
def test_only_what_no_database_can_store_is_escaped(value, stored):
    assert storable(value) == stored
