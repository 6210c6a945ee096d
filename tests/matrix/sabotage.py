"""Flows whose tasks fail as a file beside them says, so that they can fail once and then not."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from flowkit.enums import Status
from tests.matrix import facts, joins, values
from tests.matrix.lab import Lab, Outcome
from tests.matrix.model import Key
from tests.matrix.source import Behaviour, flow_source

STEADY = (
    values.types,
    values.propagation,
    values.trail,
    values.ledger,
    values.reading,
    joins.inputs,
    joins.union,
    facts.place,
    facts.splits,
)
"""Behaviours whose artifacts are the same in each run."""
SETS = {"read_only"}


@dataclass(frozen=True)
class Way:
    """A way to fail.

    Attributes:
        name: One word or two.
        code: What the step does.
        says: What the error block says.
        raises: The type of the task's exception; "" when it has none.
        keeps: Whether the artifacts set before are kept.
    """

    name: str
    code: str
    says: str
    raises: str = ""
    keeps: bool = True


WAYS = (
    Way("raise", 'raise ValueError("sabotage")', "ValueError: sabotage", "builtins.ValueError"),
    Way("exit", "sys.exit(3)", "exit code 3", "builtins.SystemExit"),
    Way("interrupt", "raise KeyboardInterrupt", "KeyboardInterrupt", "builtins.KeyboardInterrupt"),
    Way("twice", "flow.next(flow.start)\n        flow.next(flow.start)", "", "*"),
    Way("unpicklable", "flow.lock = threading.Lock()", "lock"),
    Way("die", "os._exit(0)", "exit", keeps=False),
    Way("kill", "os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL", keeps=False),
    Way("crash", "os.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV", keeps=False),
)
INLINE = {"raise", "exit", "twice", "unpicklable"}
"""Ways that leave the process alive."""


def check_kept(outcome: Outcome) -> None:
    for key, task in outcome.tasks.items():
        assert task.data.before == list(key[1])
        assert outcome.lab.executor == "inline" or task.stdout.startswith(f"{key} of run ")


def sabotaged() -> Behaviour:
    """Return the behaviour that makes a task fail; it must be the last one."""
    ways = "\n".join(f"    if way == {way.name!r}:\n        {way.code}" for way in WAYS)
    return Behaviour(
        "what comes before a failure",
        check_kept,
        code={
            "every": """
                self.before = list(self.key[1])
                print(f"{self.key} of run {current.run_id}")
                sabotage(self)
            """
        },
        own=["before", "failure"],
        module=f'''
import threading


def sabotage(flow):
    """Fail as the file beside this one says."""
    try:
        with open(os.path.join(HERE, "sabotage"), encoding="utf-8") as file:
            key, way = json.load(file)
    except FileNotFoundError:
        return
    if key != json.loads(json.dumps(flow.key)):
        return
{ways}
''',
    )


def write_flow(
    lab: Lab,
    decorators: Mapping[str, Sequence[str]] | None = None,
    endings: Mapping[str, str] | None = None,
) -> Lab:
    """Write the flow; it fails when `break_task` says so."""
    return lab.write(flow_source(lab.shape, (*STEADY, sabotaged()), decorators, endings))


def break_task(lab: Lab, key: Key, way: Way) -> None:
    (lab.directory / "sabotage").write_text(json.dumps([key, way.name]), encoding="utf-8")


def mend(lab: Lab) -> None:
    (lab.directory / "sabotage").unlink()


def check_steady(outcome: Outcome) -> None:
    """Look at all behaviours of a run that has come to its end."""
    for behaviour in (*STEADY, sabotaged()):
        if behaviour.applies(outcome.shape):
            behaviour.check(outcome)


def check_resumed(outcome: Outcome, origin: Outcome, rerun: set[Key]) -> None:
    """Look at a run that has taken over all tasks of another one but some, and ended well."""
    run = outcome.run

    assert set(outcome.tasks) == outcome.model.keys
    assert outcome.executed == dict.fromkeys(rerun, 1)
    assert (run.status, run.successful) == (Status.SUCCEEDED, True)
    assert run.origin_pathspec == origin.run.pathspec
    assert outcome.called.stdout.rstrip().endswith("Done!")
    for key, task in outcome.tasks.items():
        assert (task.finished, task.successful) == (True, True)
        assert task.metadata_dict["origin-run-id"] == origin.run.id
        if key in rerun:
            assert (task.status, task.origin_pathspec) == (Status.SUCCEEDED, None)
            continue
        first = origin.tasks[key]
        assert task.status is Status.CACHED
        assert task.origin_pathspec == (first.origin_pathspec or first.pathspec)
        assert task.stdout == first.stdout
    check_steady(outcome)


def differences(one: Outcome, other: Outcome) -> list[tuple[Key, str]]:
    """Return the artifacts whose content is not the same in two runs, sets left out.

    How a set of texts is stored depends on the order that it has in its process.
    """
    left, right = _digests(one), _digests(other)
    return [where for where in sorted(left | right) if left.get(where) != right.get(where)]


def _digests(outcome: Outcome) -> dict[tuple[Key, str], str]:
    return {
        (key, artifact.id): artifact.sha
        for key, task in outcome.tasks.items()
        for artifact in task
        if artifact.id not in SETS
    }
