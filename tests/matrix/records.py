"""Behaviours of what a run leaves behind: tasks, their relations, logs, lines on the console."""

import re

import pytest

from flowkit import Task
from flowkit.enums import Status
from tests.matrix.facts import TAGS
from tests.matrix.lab import Outcome
from tests.matrix.source import Behaviour

PROCESSES = ("local", "spawn")
"""Executors that give each task a process of its own."""
RUN_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (.*)")


def check_tasks(outcome: Outcome) -> None:
    ids = [int(task.id) for task in outcome.tasks.values()]

    assert set(outcome.tasks) == outcome.model.keys
    assert ids == list(range(1, len(outcome.model.keys) + 1))
    assert outcome.executed == dict.fromkeys(outcome.model.keys, 1)


tasks = Behaviour("each task runs once, and ids have no gaps", check_tasks)


def check_relations(outcome: Outcome) -> None:
    keys = {task.pathspec: key for key, task in outcome.tasks.items()}
    for key, task in outcome.tasks.items():
        parents = [parent.key for parent in outcome.model[key].parents]
        children = {child.key for child in outcome.model.children(key)}

        assert [keys[parent.pathspec] for parent in task.parent_tasks] == parents
        assert {keys[pathspec] for pathspec in task.child_task_pathspecs} == children
        assert all(int(outcome.tasks[parent].id) < int(task.id) for parent in parents)


relations = Behaviour("parents and children of tasks know each other", check_relations)


def check_steps(outcome: Outcome) -> None:
    shape = outcome.shape
    walked = {key[0] for key in outcome.model.keys}
    names = [step.id for step in outcome.run]

    assert (names[0], names[-1]) == (shape.end.name, shape.start.name)
    assert set(names) == walked
    for node in shape:
        if node.name not in walked:
            assert node.name not in outcome.run
            with pytest.raises(KeyError):
                outcome.run[node.name]
            continue
        step = outcome.run[node.name]
        before = {other.name for other in shape if node.name in other.targets}
        ids = [int(task.id) for task in step]

        assert {one.id for one in step.child_steps} == set(node.targets) & walked
        assert {one.id for one in step.parent_steps} == before & walked
        assert ids == sorted(ids, reverse=True)
        assert step.task.id == str(ids[0])


steps = Behaviour("steps come newest first; those not taken don't exist", check_steps)


def check_state(outcome: Outcome) -> None:
    run, flow = outcome.run, outcome.lab.flow()
    for task in outcome.tasks.values():
        assert (task.finished, task.successful, task.exception) == (True, True, None)
        assert (task["_task_ok"].data, task["_success"].data) == (True, True)
        assert task.status is Status.SUCCEEDED
        assert (task.current_attempt, task.origin_pathspec) == (0, None)
        assert Task(task.pathspec, attempt=0).finished
        assert Task(task.pathspec, attempt=1).finished is False
    end = list(outcome.tasks.values())[-1]

    assert (run.successful, run.finished, run.status) == (True, True, Status.SUCCEEDED)
    assert run.end_task is not None
    assert run.end_task.pathspec == end.pathspec
    assert run.data is not None
    assert run.data.trail == end.data.trail
    assert run.origin_pathspec is None
    assert flow.latest_run is not None
    assert flow.latest_successful_run is not None
    assert flow.latest_run.pathspec == flow.latest_successful_run.pathspec == run.pathspec
    assert [one.id for one in flow] == ["1"]


state = Behaviour("the run and its tasks are finished and successful", check_state)


def check_times(outcome: Outcome) -> None:
    for key, task in outcome.tasks.items():
        finished = task.finished_at

        assert finished is not None
        assert outcome.run.created_at <= task.created_at <= finished
        for parent in outcome.model[key].parents:
            ended = outcome.tasks[parent.key].finished_at
            assert ended is not None
            assert ended <= task.created_at
    assert outcome.run.finished_at == list(outcome.tasks.values())[-1].finished_at


times = Behaviour("tasks begin after those before them have ended", check_times)


def check_tags(outcome: Outcome) -> None:
    run = outcome.run
    for found in (run, run.end_task, *run):
        assert found is not None
        assert found.user_tags == set(TAGS)
        assert {"user:tester", "runtime:dev"} <= found.system_tags
    assert [one.id for one in outcome.lab.flow().runs(*TAGS)] == [run.id]
    assert list(outcome.lab.flow().runs("another")) == []


tags = Behaviour("tags given at the start are on all of the run", check_tags)


def check_files(outcome: Outcome) -> None:
    directory = outcome.lab.directory

    assert (directory / "id").read_text(encoding="utf-8") == outcome.run.id
    assert f'"flow_name": "{outcome.shape.flow}"' in (directory / "attributes").read_text("utf-8")
    assert next(iter(outcome.tasks.values())).data.id_before_tasks == outcome.run.id


files = Behaviour(
    "the run's id is in a file before any task starts",
    check_files,
    code={"start": 'self.id_before_tasks = open(os.path.join(HERE, "id")).read()'},
)


def check_console(outcome: Outcome) -> None:
    lines = outcome.called.stdout.splitlines()
    told = [match[1] for line in lines if (match := RUN_LINE.fullmatch(line))]

    assert told[0] == f"Workflow starting (run-id {outcome.run.id}):"
    assert told[-1] == "Done!"
    assert lines[-1].endswith("Done!")
    assert f"executing {outcome.shape.flow} for user:tester" in outcome.called.stderr
    assert "    The graph looks good!" in outcome.called.stderr.splitlines()
    for task in outcome.tasks.values():
        prefix = re.escape(f"[{'/'.join(task.path_components[1:])}")
        pattern = re.compile(prefix + r"( \(pid \d+\))?\] Task finished successfully\.")
        assert any(pattern.fullmatch(line) for line in told)


console = Behaviour("the console tells what happens", check_console)


def out_text(pathspec: str) -> str:
    return f"out {pathspec} Käse ✓ 漢字 *stars*\n    indented\n\nno newline at the end"


def err_text(pathspec: str) -> str:
    return f"err {pathspec} ✗\na byte \ufffd that is none\nfrom a child\n"


def check_logs(outcome: Outcome) -> None:
    told = outcome.called.stdout
    for task in outcome.tasks.values():
        assert task.stdout == out_text(task.pathspec)
        assert task.stderr == err_text(task.pathspec)
        assert task.stdout_size == len(task.stdout.encode())
        assert [line for _, line in task.loglines("stdout")] == task.stdout.splitlines()
        assert [line for _, line in task.loglines("stderr")] == task.stderr.splitlines()
        times = [at for at, _ in task.loglines("stderr")]
        assert times == sorted(times)
        prefix = rf"\[{'/'.join(task.path_components[1:])} \(pid \d+\)\]"
        for text in (task.stdout, task.stderr):
            for line in text.splitlines():
                assert re.search(rf"{prefix} {re.escape(line)}$", told, re.MULTILINE), line
    assert "Käse" not in outcome.called.stderr


logs = Behaviour(
    "both streams of each task are kept to the byte",
    check_logs,
    code={
        "every": """
            print(f"out {current.pathspec} Käse ✓ 漢字 *stars*")
            print("    indented\\n")
            print("no newline at the end", end="")
            print(f"err {current.pathspec} ✗", file=sys.stderr)
            os.write(2, b"a byte \\xff that is none\\n")
            os.system("echo from a child >&2")
        """
    },
    executors=PROCESSES,
)


def check_commands(outcome: Outcome) -> None:
    lab, end = outcome.lab, list(outcome.tasks.values())[-1]
    path = "/".join(end.path_components[1:])
    printed = lab.call("logs", path)
    dumped = lab.call("dump", path, "--include", "trail")
    shown = lab.call("show")

    assert printed.stdout.rstrip("\n") == end.stdout
    assert printed.stderr == end.stderr
    assert f"trail [size: {end['trail'].size} type: " in dumped.stdout
    assert repr(end.data.trail) in dumped.stdout
    assert all(f"Step *{node.name}*" in shown.stdout for node in outcome.shape)
    assert "graph looks good" in lab.call().stderr


commands = Behaviour(
    "show, dump and logs print what the client knows",
    check_commands,
    applies=lambda shape: shape.name.endswith("in_foreach"),
    executors=("local",),
)


def check_isolation(outcome: Outcome) -> None:
    data = [task.data for task in outcome.tasks.values()]

    assert len({one.pid for one in data}) == len(data)
    assert len({one.dice for one in data}) == len(data)
    assert {one.found_in_memory for one in data} == {0}
    assert {one.cwd for one in data} == {str(outcome.lab.directory)}


isolation = Behaviour(
    "each task has a process of its own",
    check_isolation,
    code={
        "every": """
            self.found_in_memory = len(MEMORY)
            MEMORY.append(1)
            self.pid, self.dice, self.cwd = os.getpid(), random.random(), os.getcwd()
            os.chdir("/")
        """
    },
    own=["pid", "dice", "cwd"],
    module="import random\n\nMEMORY = []\n",
    executors=PROCESSES,
)


BEHAVIOURS = (
    tasks,
    relations,
    steps,
    state,
    times,
    tags,
    files,
    console,
    logs,
    commands,
    isolation,
)
