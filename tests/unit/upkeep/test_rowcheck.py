"""Rows of runs from elsewhere: what flowkit has written passes, nothing else does."""

from contextlib import ExitStack

import pytest

from flowkit.exceptions import IntegrityError
from flowkit.model.transfer import COLUMNS, RUN_COLUMNS, RunRows
from flowkit.testing.transfer import busy_run
from flowkit.upkeep.rowcheck import check_rows
from tests.suites.test_transfer_sqlite import open_sqlite


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    with ExitStack() as opened:
        return busy_run(open_sqlite(tmp_path_factory.mktemp("store") / "flowkit.db", opened))


def changed(rows, table, column, value):
    """Return rows with one value changed: in the first row of a table, or of the run."""
    if table == "run":
        return RunRows({**rows.run, column: value}, rows.tables)
    first, *rest = rows.tables[table]
    return RunRows(rows.run, {**rows.tables, table: [{**first, column: value}, *rest]})


def test_what_flowkit_has_written_passes(rows):
    check_rows(rows)


def test_there_is_something_in_every_table(rows):
    assert [name for name in COLUMNS if not rows.tables[name]] == ["origin"]


EVERY = [("run", column) for column in RUN_COLUMNS] + [
    (table, column) for table, columns in COLUMNS.items() for column in columns if table != "origin"
]


@pytest.mark.parametrize("value", [[], {}, 1.5, -1, 2**70, True, b"x"], ids=repr)
def test_no_column_takes_a_value_of_another_kind(rows, value):
    for table, column in EVERY:
        with pytest.raises(IntegrityError, match=rf"'{column}' of '{table}' can't be right"):
            check_rows(changed(rows, table, column, value))


WRONG = [
    ("run", "flow", "../x"),
    ("run", "flow", "a\nb"),
    ("run", "run_id", "../../x"),
    ("run", "run_id", ".hidden"),
    ("run", "token", "../" * 10 + "xx"),
    ("run", "token", "A" * 32),
    ("run", "status", "running"),
    ("run", "status", "unheard"),
    ("run", "root", "0" * 63),
    ("run", "user_name", "ada\x1b[31m"),
    ("run", "info", "[]"),
    ("run", "info", "{"),
    ("run", "epoch", 2**31),
    ("tag", "tag", ""),
    ("tag", "tag", "e\u0301"),
    ("tag", "is_system", 2),
    ("task", "step", "a/b"),
    ("task", "frames", "[[1]]"),
    ("task", "frames", "[" * 100_000),
    ("task", "inputs", '["1"]'),
    ("task", "inputs", "{}"),
    ("task", "task_id", 99),
    ("attempt", "manifest", "x"),
    ("attempt", "error", '{"cause": "exception"}'),
    ("attempt", "status", "created"),
    ("attempt", "origin", "Train/1"),
    ("artifact", "name", "../x"),
    ("artifact", "name", "no name"),
    ("artifact", "attempt", 7),
    ("annotation", "subject", "x"),
    ("annotation", "subject", "/../../x"),
    ("annotation", "value", "nothing"),
    ("pin", "version", "0" * 32),
    ("output", "version", "0" * 32),
    ("version", "name", "a/b"),
    ("version", "version", "07"),
    ("version", "number", 9),
    ("version", "inline", "x"),
    ("version", "artifact_type", "os.system"),
    ("version", "id", "x" * 32),
    ("alias", "alias", "7"),
    ("alias", "alias", "latest"),
    ("version_tag", "tag", "a\nb"),
]


@pytest.mark.parametrize(("table", "column", "value"), WRONG, ids=lambda word: str(word)[:20])
def test_what_is_no_name_digest_or_reference_is_refused(rows, table, column, value):
    with pytest.raises(IntegrityError):
        check_rows(changed(rows, table, column, value))


ONCE = [name for name in COLUMNS if name not in ("tag", "version_tag", "alias", "origin")]


@pytest.mark.parametrize("table", ONCE)
def test_a_row_is_there_once(rows, table):
    first = rows.tables[table][0]
    twice = RunRows(rows.run, {**rows.tables, table: [*rows.tables[table], first]})
    with pytest.raises(IntegrityError):
        check_rows(twice)


@pytest.mark.parametrize("table", COLUMNS)
def test_columns_and_tables_are_those_that_are_known(rows, table):
    if rows.tables[table]:
        with pytest.raises(IntegrityError):
            check_rows(changed(rows, table, "more", 1))
    with pytest.raises(IntegrityError):
        check_rows(
            RunRows(rows.run, {name: rows.tables[name] for name in COLUMNS if name != table})
        )
