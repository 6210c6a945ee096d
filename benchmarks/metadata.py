"""Measures what readers and drivers ask of a metadata store that has grown large.

    python benchmarks/metadata.py [--runs 100000] [--postgres URL] [--sqlite-only]

Rows are generated: ten artifacts per run, two per task, tags of a hundred users. Without a URL a
PostgreSQL server is started for the measurement, in the setting of a plain installation.
"""

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from tabulate import tabulate

from flowkit.enums import Status
from flowkit.metastore import sqlite
from flowkit.metastore.statements import bind, load_statements
from flowkit.testing.metadata import REF, new_run, new_task, outcome

sys.path.insert(0, str(Path(__file__).parents[1]))

FLOWS, TASKS, ARTIFACTS = 50, 5, 2
"""How many flows there are, tasks per run, artifacts per task."""
USERS = 100
REPEATS = 20
COLUMNS: Mapping[str, str] = {
    "flow": "name, created_at, runs",
    "run": "key, flow, run_id, token, status, user_name, root, created_at, finished_at, info, host,"
    " boot_id, pid, pid_start, epoch, heartbeat",
    "tag": "run, tag, is_system",
    "task": "run, task_id, step, created_at, frames, iteration, inputs",
    "task_input": "run, input_id, task_id",
    "attempt": "run, task_id, attempt, status, manifest, started_at, finished_at, log_start,"
    " log_end",
    "artifact": "run, task_id, attempt, position, name, digest, materializer, type, size,"
    " created_at",
}


def rows(table: str, runs: int) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of one table."""
    if table == "flow":
        yield from ((f"Flow{n}", n, runs // FLOWS) for n in range(FLOWS))
        return
    for run in range(1, runs + 1):
        yield from getattr(sys.modules[__name__], f"{table}_rows")(run)


def run_rows(run: int) -> Iterable[tuple[Any, ...]]:
    flow, number = run % FLOWS, (run - 1) // FLOWS + 1
    token = f"{run:032x}"
    status = "failed" if run % 10 == 0 else "succeeded"
    yield (run, f"Flow{flow}", str(number), token, status, f"user{run % USERS}", token * 2, run,
           run + 9, "{}", "host", "boot", 1, "1", 1, run)  # fmt: skip


def tag_rows(run: int) -> Iterable[tuple[Any, ...]]:
    yield run, f"user:user{run % USERS}", 1
    yield run, "runtime:dev", 1
    if run % 1000 == 0:
        yield run, "release", 0


def task_rows(run: int) -> Iterable[tuple[Any, ...]]:
    for task in range(1, TASKS + 1):
        yield run, task, f"step{task}", run, "[]", 0, f"[{task - 1}]"


def task_input_rows(run: int) -> Iterable[tuple[Any, ...]]:
    for task in range(2, TASKS + 1):
        yield run, task - 1, task


def attempt_rows(run: int) -> Iterable[tuple[Any, ...]]:
    for task in range(1, TASKS + 1):
        yield run, task, 0, "succeeded", f"{run:064x}", run, run + 1, 0, 10


def artifact_rows(run: int) -> Iterable[tuple[Any, ...]]:
    for task in range(1, TASKS + 1):
        for position in range(ARTIFACTS):
            digest = f"{run * 10 + task * 2 + position:064x}"
            yield (run, task, 0, position, f"artifact{position}", digest, "pickle", "builtins.int",
                   100, run)  # fmt: skip


def fill_sqlite(path: Path, runs: int) -> None:
    sqlite.open_writer(path).close()
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA synchronous = OFF")
        for table, columns in COLUMNS.items():
            places = ", ".join("?" * len(columns.split(",")))
            statement = f"INSERT INTO {table} ({columns}) VALUES ({places})"
            connection.executemany(statement, rows(table, runs))
        connection.execute("UPDATE store SET runs = ?", (runs,))
        connection.execute("ANALYZE")


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
        connection.execute("UPDATE store SET runs = %s", (runs,))
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
    }


def milliseconds(work: Callable[[], object]) -> float:
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        work()
        times.append((time.perf_counter() - began) * 1e3)
    return statistics.median(times)


def measured(writer: Any, reader: Any, runs: int) -> dict[str, float]:
    """Return the milliseconds that each question takes, and the two writes of a driver."""
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
    "before": 2**62, "tag": "user:user7", "tags": ["user:user7"], "tag_count": 1,
}  # fmt: skip
EXPLAINED = (
    "runs", "runs_of_flow", "tagged_runs", "tagged_runs_of_flow", "run", "flows", "steps", "tasks",
    "tasks_of_step", "task", "children", "artifacts",
)  # fmt: skip


def scans(explain: Callable[[str, Mapping[str, object]], Sequence[str]]) -> list[list[str]]:
    """Return, by statement, which indexes its plan uses and which tables it reads as a whole."""
    found = []
    statements = load_statements()
    for name in EXPLAINED:
        text = "\n".join(explain(*bind(statements[name], PARAMETERS)))
        found.append([name, *summary(text)])
    return found


def summary(plan: str) -> tuple[str, str]:
    import re

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
        figures["SQLite"] = measured(writer, reader, options.runs)
        plans["SQLite"] = explained_by_sqlite(path)
        if not options.sqlite_only:
            from flowkit.metastore import postgres

            url = options.postgres or stack.enter_context(some_postgres())
            fill_postgres(url, directory, options.runs)
            writer = stack.enter_context(closing(postgres.open_writer(url, directory)))
            reader = stack.enter_context(closing(postgres.open_reader(url, directory)))
            figures["PostgreSQL"] = measured(writer, reader, options.runs)
            plans["PostgreSQL"] = explained_by_postgres(url)
    names = list(figures["SQLite"])
    table = [[name, *(f"{each[name]:.2f}" for each in figures.values())] for name in names]
    print(f"{options.runs} runs, {options.runs * TASKS * ARTIFACTS} artifacts; milliseconds\n")
    print(tabulate(table, headers=["", *figures], disable_numparse=True), "\n")
    for database, found in plans.items():
        print(tabulate(found, headers=[database, "indexes used", "read as a whole"]), "\n")


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
