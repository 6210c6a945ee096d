"""The rows of a metadata store that has grown large: runs, what they left, who read it."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

FLOWS, TASKS, ARTIFACTS = 50, 5, 2
"""How many flows there are, tasks per run, artifacts per task."""
USERS = 100
NAMES, VERSIONED = 1000, 3
"""How many named artifacts there are; which task of a run makes a version of one."""
INFO = f'{{"start_step":"step1","end_step":"step{TASKS}"}}'
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
    "read": "run, task_id, attempt, position, token, digest",
    "artifact_name": "name, created_at, next",
    "artifact_version": "key, id, name, version, number, digest, materializer, type, size,"
    " artifact_type, attribute, code, run, task_id, attempt, user_name, created_at",
    "version_tag": "version, tag",
    "version_output": "run, task_id, attempt, version, attribute",
    "alias_move": "name, alias, position, version, user_name, created_at",
    "annotation": "subject, position, name, value, user_name, created_at",
}


def rows(table: str, runs: int) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of one table."""
    if table == "flow":
        yield from ((f"Flow{n}", n, runs // FLOWS) for n in range(FLOWS))
        return
    if table == "artifact_name":
        yield from ((f"model{n:03}", 1, runs // NAMES + 1) for n in range(NAMES))
        return
    for run in range(1, runs + 1):
        yield from getattr(sys.modules[__name__], f"{table}_rows")(run)


def run_rows(run: int) -> Iterable[tuple[Any, ...]]:
    flow, number = run % FLOWS, (run - 1) // FLOWS + 1
    token = f"{run:032x}"
    status = "failed" if run % 10 == 0 else "succeeded"
    yield (run, f"Flow{flow}", str(number), token, status, f"user{run % USERS}", token * 2, run,
           run + 9, INFO, "host", "boot", 1, "1", 1, run)  # fmt: skip


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


def digest_of(run: int, task: int, position: int) -> str:
    """The second artifact of every task has the same value everywhere, as flags and names do."""
    return f"{run * 10 + task * 2:064x}" if position == 0 else "f" * 64


def artifact_rows(run: int) -> Iterable[tuple[Any, ...]]:
    for task in range(1, TASKS + 1):
        for position in range(ARTIFACTS):
            digest = digest_of(run, task, position)
            yield (run, task, 0, position, f"artifact{position}", digest, "pickle", "builtins.int",
                   100, run)  # fmt: skip


def read_rows(run: int) -> Iterable[tuple[Any, ...]]:
    for task in range(2, TASKS + 1):
        for position in range(ARTIFACTS):
            digest = digest_of(run, task - 1, position)
            yield run, task, 0, position, f"attr:artifact{position}", digest


def version_id(run: int) -> str:
    """Ids are random: neighbours don't lie side by side."""
    return f"{run * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128):032x}"


def artifact_version_rows(run: int) -> Iterable[tuple[Any, ...]]:
    number = (run - 1) // NAMES + 1
    kind = "ModelArtifact" if run % 2 else "DataArtifact"
    yield (run, version_id(run), f"model{run % NAMES:03}", str(number), number,
           digest_of(run, VERSIONED, 0), "pickle", "builtins.int", 100, kind, "artifact0", "",
           run, VERSIONED, 0, f"user{run % USERS}", run)  # fmt: skip


def version_tag_rows(run: int) -> Iterable[tuple[Any, ...]]:
    yield run, "nightly"
    if run % 1000 == 0:
        yield run, "reviewed"


def version_output_rows(run: int) -> Iterable[tuple[Any, ...]]:
    yield run, VERSIONED, 0, run, "artifact0"


def alias_move_rows(run: int) -> Iterable[tuple[Any, ...]]:
    if run % 10 == 0:
        yield f"model{run % NAMES:03}", "best", (run - 1) // NAMES + 1, run, "ada", run


def annotation_rows(run: int) -> Iterable[tuple[Any, ...]]:
    yield version_id(run), 1, "accuracy", str(run * 7919 % 997 / 997), "ada", run
    yield version_id(run), 2, "kind", '"linear"', "ada", run
