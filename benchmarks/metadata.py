"""Measures what readers and drivers ask of a metadata store that has grown large.

    python benchmarks/metadata.py [--runs 100000] [--postgres URL] [--sqlite-only]

Rows are generated: ten artifacts per run, two per task, tags of a hundred users, a version of one
of a thousand named artifacts per run. Without a URL a PostgreSQL server is started for the
measurement, in the setting of a plain installation. Exits with 1 when a query reads the whole of a
table that grows with the runs; with few runs PostgreSQL does that, as it costs least then.
"""

import argparse
import re
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from metadata_rows import ARTIFACTS, COLUMNS, FLOWS, NAMES, TASKS, digest_of, rows, version_id
from tabulate import tabulate

from flowkit import Client, Flow, metadata, namespace
from flowkit.enums import Status
from flowkit.metastore import sqlite
from flowkit.metastore.statements import bind, load_statements
from flowkit.testing.metadata import REF, new_run, new_task, outcome

sys.path.insert(0, str(Path(__file__).parents[1]))

REPEATS = 20


def fill_sqlite(path: Path, runs: int) -> None:
    sqlite.open_writer(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        for table, columns in COLUMNS.items():
            places = ", ".join("?" * len(columns.split(",")))
            statement = f"INSERT INTO {table} ({columns}) VALUES ({places})"
            connection.executemany(statement, rows(table, runs))
        connection.execute("UPDATE store SET runs = ?, versions = ?", (runs, runs))


def fill_postgres(url: str, locks: Path, runs: int) -> None:
    import psycopg

    from flowkit.metastore import postgres

    postgres.open_writer(url, locks).close()
    with psycopg.connect(url, autocommit=True) as connection:
        for table, columns in COLUMNS.items():
            copy = f"COPY {table} ({columns}) FROM STDIN".encode()
            with connection.cursor().copy(copy) as sink:
                for row in rows(table, runs):
                    sink.write_row(row)
        connection.execute("UPDATE store SET runs = %s, versions = %s", (runs, runs))
        connection.execute("VACUUM ANALYZE")


Question = Callable[[Any], object]


def questions(runs: int) -> Mapping[str, Question]:
    """What is measured, by name: each a call of a reader."""
    middle = str(runs // FLOWS // 2)
    return {
        "newest 20 runs": lambda r: r.runs(limit=20),
        "newest 100 runs of a user": lambda r: r.runs(tags=["user:user7"]),
        "newest 100 runs, tag of all": lambda r: r.runs(tags=["runtime:dev"]),
        "newest 20 runs, tag of 1 in 1000": lambda r: r.runs(tags=["release"], limit=20),
        "newest 100 runs of a flow": lambda r: r.runs("Flow7"),
        "newest 100 runs, two tags": lambda r: r.runs(tags=["runtime:dev", "user:user7"]),
        "newest 100 runs of flow and user": lambda r: r.runs("Flow7", tags=["user:user7"]),
        "a page of 100 runs in the middle": lambda r: r.runs(before=runs // 2),
        "one run": lambda r: r.run("Flow7", middle),
        "steps of a run": lambda r: r.steps("Flow7", middle),
        "tasks of a run": lambda r: r.tasks("Flow7", middle),
        "children of a task": lambda r: r.children("Flow7", middle, 2),
        "artifacts of a task": lambda r: r.artifacts("Flow7", middle, 2, 0),
        "all flows": lambda r: r.flows(),
        "newest run of a flow (client)": lambda _: Flow("Flow7").latest_run.id,
        "newest successful run (client)": lambda _: Flow("Flow7").latest_successful_run.id,
        **version_questions(runs),
    }


def version_questions(runs: int) -> Mapping[str, Question]:
    """What is asked about versions, through the client as users do."""
    number = runs // NAMES // 2
    version = version_id(runs // 2)

    def found(text: str, version: str | None = None) -> object:
        return Client().get_artifact_version(text, version)

    def listed(count: int, **filters: Any) -> list[Any]:
        return list(islice(Client().list_artifact_versions(**filters), count))

    good = "accuracy:gte:0.7"
    return {
        "newest version of a name": lambda _: found("model007"),
        "a version by name and number": lambda _: found(f"model007@{number}"),
        "highest version of a name": lambda _: found("model007", "highest"),
        "version at an alias": lambda _: found("model010:best"),
        "a version by the beginning of its id": lambda _: found(version[:10]),
        "newest 20 versions": lambda _: listed(20),
        "newest 20 versions of a type": lambda _: listed(20, type="MODEL"),
        "newest 20 versions, tag of all": lambda _: listed(20, tags="nightly"),
        "newest 20 versions, tag of 1 in 1000": lambda _: listed(20, tags="reviewed"),
        "newest 20 versions, accuracy >= 0.7": lambda _: listed(20, run_metadata=good),
        "all versions of a name": lambda _: listed(runs, name="model007"),
        "all of a name, accuracy >= 0.7": lambda _: listed(
            runs, name="model007", run_metadata=good
        ),
        "a page of named artifacts": lambda r: r.versions.names(limit=100),
        "consumers of a version": lambda _: list(
            Client().get_artifact_version(version).consumers()
        ),
        "lineage of a version": lambda _: Client().lineage(version).nodes,
    }


def milliseconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)


def measured(location: str, writer: Any, reader: Any, runs: int) -> dict[str, float]:
    """Return the milliseconds that each question takes, and the two writes of a driver."""
    metadata(location)
    namespace(None)
    found = {}
    for name, question in questions(runs).items():
        assert question(reader), name
        found[name] = milliseconds(partial(question, reader))
    found["create a run"] = milliseconds(lambda: writer.create_run(new_run("Flow7")))
    lease = writer.create_run(new_run("Flow7"))
    writer.record(lease, [], [new_task(1)])
    numbers = iter(range(1, 10_000))

    def record() -> None:
        task = next(numbers)
        writer.record(lease, [outcome(task, written={"x": REF})], [new_task(task + 1)])

    found["record a task"] = milliseconds(record)
    writer.finish_run(lease, Status.SUCCEEDED)
    return found


PARAMETERS = {
    "flow": "Flow7", "run_id": "1000", "task_id": 2, "attempt": 0, "step": "step2", "limit": 100,
    "before": 2**31 - 1, "tag": "user:user7", "tags": ["user:user7"], "tag_count": 1,
    "name": "model007", "version": "", "artifact_type": "", "with_deleted": 0, "alias": "best",
    "id": version_id(500), "prefix": version_id(500)[:10], "end": version_id(500)[:10] + "g",
    "keys": [500], "digest": digest_of(500, 3, 0), "token": "artifact:x", "attribute": "artifact0",
    "subjects": [version_id(500)], "after": "", "run": 500, "origins": ["Flow7/1000/step2/2"],
    "user": "ada",
}  # fmt: skip
OTHERWISE: Mapping[str, Mapping[str, object]] = {
    "popular": {"tag": "runtime:dev", "tags": ["nightly"], "digest": "f" * 64},
    "any tag": {"tag_count": 0},
}
"""The same questions with other values: those that very many rows have."""
EXPLAINED = (
    "runs", "runs_of_flow", "tagged_runs", "tagged_runs_of_flow", "run", "flows", "steps", "tasks",
    "tasks_of_step", "task", "children", "artifacts", "artifact_named", "artifact_names",
    "versions", "tagged_versions", "versions_of_name", "version_named", "version_highest",
    "version_at_alias", "versions_with_prefix", "outputs_of_run", "tags_of_versions",
    "aliases_of_versions", "annotations_of", "places_of_version", "readers_in_runs",
    "readers_by_token", "attempts_from_origins", "reads", "writers_in_run", "versions_from_run",
)  # fmt: skip
SMALL = {"flow", "store", "artifact_name", "n", "run_pin"}
"""Tables that don't grow with the runs here, and results inside a query."""


def scans(explain: Callable[[str, Mapping[str, object]], Sequence[str]]) -> list[list[str]]:
    """Return, by statement, which indexes its plan uses and which tables it reads as a whole."""
    found = []
    statements = load_statements()
    for name in EXPLAINED:
        text = statements[name]
        found.append([name, *plan_of(text, {}, explain)])
        for how, values in OTHERWISE.items():
            if any(re.search(rf":{key}\b", text) for key in values):
                found.append([f"{name}, {how}", *plan_of(text, values, explain)])
    return found


def plan_of(
    text: str,
    values: Mapping[str, object],
    explain: Callable[[str, Mapping[str, object]], Sequence[str]],
) -> tuple[str, str]:
    """Return which indexes the plan of one statement uses, and what it reads as a whole."""
    statement, bound = bind(text, {**PARAMETERS, **values})
    used = {key: value for key, value in bound.items() if re.search(rf":{key}\b", statement)}
    return summary("\n".join(explain(statement, used)))


def summary(plan: str) -> tuple[str, str]:
    indexes = re.findall(r"(?:INDEX|Index(?: Only)? Scan(?: Backward)? using) (\w+)", plan)
    indexes += re.findall(r"Bitmap Index Scan on (\w+)", plan)
    indexes += ["primary key"] * len(
        re.findall(r"INTEGER PRIMARY KEY|SCAN run$", plan, re.MULTILINE)
    )
    whole = re.findall(r"Seq Scan on (\w+)|SCAN (?!run$|r$)(\w+)$", plan, re.MULTILINE)
    return ", ".join(sorted(set(indexes))), ", ".join(sorted({a or b for a, b in whole}))


@contextmanager
def some_postgres() -> Iterator[str]:
    """Start a server with its own defaults and yield a URL."""
    from tests.servers.postgres import PostgresServer

    server = PostgresServer()
    try:
        server.create()
        server.start(fsync="on", synchronous_commit="on", full_page_writes="on",
                     shared_buffers="128MB")  # fmt: skip
        yield server.url()
    finally:
        server.wipe()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=100_000)
    parser.add_argument("--postgres", metavar="URL", help="an empty database")
    parser.add_argument("--sqlite-only", action="store_true")
    options = parser.parse_args()
    figures: dict[str, dict[str, float]] = {}
    plans: dict[str, list[list[str]]] = {}
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        path = directory / "metadata.db"
        fill_sqlite(path, options.runs)
        writer = stack.enter_context(closing(sqlite.open_writer(path)))
        reader = stack.enter_context(closing(sqlite.open_reader(path)))
        figures["SQLite"] = measured(f"sqlite:///{path}", writer, reader, options.runs)
        plans["SQLite"] = explained_by_sqlite(path)
        if not options.sqlite_only:
            from flowkit.metastore import postgres

            url = options.postgres or stack.enter_context(some_postgres())
            fill_postgres(url, directory, options.runs)
            writer = stack.enter_context(closing(postgres.open_writer(url, directory)))
            reader = stack.enter_context(closing(postgres.open_reader(url, directory)))
            figures["PostgreSQL"] = measured(url, writer, reader, options.runs)
            plans["PostgreSQL"] = explained_by_postgres(url)
    names = list(figures["SQLite"])
    table = [[name, *(f"{each[name]:.2f}" for each in figures.values())] for name in names]
    print(f"{options.runs} runs, {options.runs * TASKS * ARTIFACTS} artifacts; milliseconds\n")
    print(tabulate(table, headers=["", *figures], disable_numparse=True), "\n")
    for database, found in plans.items():
        print(tabulate(found, headers=[database, "indexes used", "read as a whole"]), "\n")
    whole = {table for found in plans.values() for row in found for table in row[2].split(", ")}
    sys.exit(1 if whole - SMALL - {""} else 0)


def explained_by_sqlite(path: Path) -> list[list[str]]:
    with closing(sqlite3.connect(path)) as connection:

        def explain(statement: str, values: Mapping[str, object]) -> list[str]:
            found = connection.execute(f"EXPLAIN QUERY PLAN {statement}", dict(values))
            return [row[3] for row in found]

        return scans(explain)


def explained_by_postgres(url: str) -> list[list[str]]:
    import psycopg

    from flowkit.metastore.placeholders import with_placeholders

    with psycopg.connect(url) as connection:

        def explain(statement: str, values: Mapping[str, object]) -> list[str]:
            text = f"EXPLAIN {with_placeholders(statement)}".encode()
            return [row[0] for row in connection.execute(text, dict(values))]

        return scans(explain)


if __name__ == "__main__":
    main()
