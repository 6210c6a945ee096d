"""Deleting runs, and choosing those that may go."""

import sqlite3
from contextlib import closing

import pytest

from flowkit.exceptions import ConflictError, NotFoundError, RunInUseError
from flowkit.metastore.sqlite import open_reader
from flowkit.upkeep.retention import Retention, split_by_use

TABLES = ("run", "task", "attempt", "artifact", "read", "task_input", "tag", "annotation")


def counts(shop):
    with closing(sqlite3.connect(shop.database)) as connection:
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in TABLES
        }


def test_a_deleted_run_leaves_no_row(shop):
    shop.run(x=1)
    shop.writer.versions.annotate("Train/1", {"k": 1}, "ada")
    shop.writer.versions.annotate("Train/1/start/1", {"k": 1}, "ada")
    shop.writer.versions.annotate("Train/10", {"k": 1}, "ada")
    shop.remove("Train", "1")

    assert counts(shop) == dict.fromkeys(TABLES, 0) | {"annotation": 1}


def test_its_id_is_not_used_again(shop):
    shop.run(x=1)
    shop.remove("Train", "1")

    assert shop.begin().run_id == "2"


def test_a_running_run_can_t_be_deleted_not_even_by_force(shop):
    shop.begin()

    with pytest.raises(ConflictError, match="'Train/1' is running"):
        shop.remove("Train", "1", force=True)


def test_a_run_that_is_not_there_is_not_found(shop):
    with pytest.raises(NotFoundError, match="'Train/9' does not exist"):
        shop.remove("Train", "9")


def test_a_run_is_kept_for_its_versions_and_aliases_and_those_are_listed(shop):
    shop.run(publish="model", x=1)
    version = shop.writer.versions
    with closing(open_reader(shop.database)) as reader:
        version.move_alias("model", "production", reader.versions.highest("model").id, "ada")

    with pytest.raises(RunInUseError) as refused:
        shop.remove("Train", "1")
    assert refused.value.users == ("alias model@production", "version model@1")
    assert refused.value.exit_code == 8


def test_by_force_the_rows_stay_that_say_where_a_version_comes_from(shop):
    shop.run(publish="model", x=1)
    shop.remove("Train", "1", force=True)
    with closing(open_reader(shop.database)) as reader:
        found = reader.versions.highest("model")

        assert found.producer.pathspec == "Train/1/start/1"
        assert reader.run("Train", "1") is None
        assert reader.runs() == []
        assert reader.flows() == []
        assert reader.tasks("Train", "1") == []


def test_a_run_that_another_one_resumed_is_kept_and_that_one_is_named(shop):
    shop.run(x=1)
    shop.run(x=2, origin="1")

    with pytest.raises(RunInUseError, match="run Train/2, which resumed it"):
        shop.remove("Train", "1")
    shop.remove("Train", "1", force=True)


def test_a_run_that_is_being_resumed_can_t_be_deleted_by_force(shop):
    shop.run(x=1)
    shop.begin(origin="1")

    with pytest.raises(ConflictError, match="being resumed by run 'Train/2'"):
        shop.remove("Train", "1", force=True)


# --- which runs may go ----------------------------------------------------------------------------


def expired(shop, now=10**18, **rule):
    with closing(open_reader(shop.database)) as reader:
        return [f"{run.flow}/{run.run_id}" for run in Retention(**rule).expired(reader, now)]


def test_without_a_rule_no_run_goes(shop):
    shop.run(x=1)

    assert expired(shop) == []


def test_the_newest_runs_of_each_flow_stay(shop):
    for _ in range(3):
        shop.run(x=1)
        shop.run("Other", x=1)

    assert sorted(expired(shop, keep_last=2)) == ["Other/1", "Train/1"]


def test_tagged_runs_and_young_runs_stay(shop):
    shop.run(x=1, tags=["golden"])
    shop.run(x=1)

    assert expired(shop, keep_last=0, keep_tags=["golden"]) == ["Train/2"]
    assert expired(shop, now=0, keep_last=0, older_than=60) == []


def test_a_running_run_stays(shop):
    shop.begin()

    assert expired(shop, keep_last=0) == []


def test_runs_in_use_stay_and_a_chain_of_resumed_runs_goes_together(shop):
    shop.run(x=1)
    shop.run(x=2, origin="1")
    shop.run("Used", publish="model", x=3)
    with closing(open_reader(shop.database)) as reader, closing(shop.inventory()) as inventory:
        free, used = split_by_use(inventory, list(Retention(0).expired(reader, 10**18)))

    assert [f"{run.flow}/{run.run_id}" for run in free] == ["Train/2", "Train/1"]
    assert used == {"Used/1": ["version model@1"]}
