"""What may happen to a step that has decorators for it, and what must come of that."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from flowkit import Task
from flowkit.enums import Status
from tests.matrix.lab import Outcome
from tests.matrix.records import PROCESSES
from tests.matrix.shapes import Node, Shape

RETRY = "@retry(times=2, minutes_between_retries=0)"
CATCH = '@catch(var="failure", print_exception=False)'
DIES = {
    "raise": 'raise ValueError("trouble")',
    "exit": "sys.exit(4)",
    "die": "os._exit(5)",
    "kill": "os.kill(os.getpid(), signal.SIGKILL)",
    "unpicklable": "self.lock = threading.Lock()",
}
ALL = ("local", "inline", "spawn")


def anywhere(shape: Shape, node: Node) -> bool:
    return True


def can_be_caught(shape: Shape, node: Node) -> bool:
    """Whether @catch is allowed: the transition of a foreach or a switch can't be made up."""
    return not (node.items or node.gang or node.is_switch)


@dataclass(frozen=True)
class Trouble:
    """Trouble in one step that the flow gets over.

    Attributes:
        name: One word or two.
        decorators: The lines above the step.
        ending: The last lines of the step before it goes on.
        check: Looks at one task of the step in the finished run.
        executions: How often each task of the step must have been begun.
        applies: Whether it may happen to a step.
        executors: Where it can be had.
        module: Lines at the top of the file.
        unsure: Executors with which a task may come to its trouble before its step begins.
    """

    name: str
    decorators: tuple[str, ...]
    ending: str
    check: Callable[[Outcome, Task], None]
    executions: int = 1
    applies: Callable[[Shape, Node], bool] = anywhere
    executors: tuple[str, ...] = ALL
    module: str = "import threading\n"
    unsure: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return self.name.partition("-")[0]


# --- retry ----------------------------------------------------------------------------------------


def retried(way: str, times: int = 2) -> str:
    return f"""
        self.tries = current.retry_count
        print("try", current.retry_count)
        if current.retry_count < {times}:
            {DIES[way]}
    """


def check_last_attempt(task: Task, attempt: int) -> None:
    assert (task.finished, task.successful, task.exception) == (True, True, None)
    assert task.status is Status.SUCCEEDED
    assert task.current_attempt == attempt
    assert task.data.tries == attempt
    assert task.metadata_dict["attempt"] == str(attempt)
    assert "lock" not in task


def check_failed_attempts(outcome: Outcome, task: Task, *, attempts: int, has_data: bool) -> None:
    for number in range(attempts + 1):
        attempt = Task(task.pathspec, attempt=number)
        is_last = number == attempts

        assert (attempt.finished, attempt.successful) == (is_last, is_last)
        assert attempt.status is (Status.SUCCEEDED if is_last else Status.FAILED)
        assert ("tries" in attempt) is (is_last or has_data)
        assert not has_data or attempt.data.tries == number
        assert outcome.lab.executor == "inline" or attempt.stdout == f"try {number}\n"
    path = "/".join(task.path_components[1:])
    retries = [
        line
        for line in outcome.called.stdout.splitlines()
        if f"[{path}" in line and line.endswith("Task is starting (retry).")
    ]
    assert len(retries) == attempts


def check_retry_of_exception(outcome: Outcome, task: Task) -> None:
    check_last_attempt(task, 2)
    check_failed_attempts(outcome, task, attempts=2, has_data=True)
    for number in range(2):
        raised = Task(task.pathspec, attempt=number).exception
        assert (raised.type, raised.exception) == ("builtins.ValueError", "trouble")
        assert raised.stacktrace.startswith("Traceback")
        assert "flowkit/runtime" not in raised.stacktrace


def check_retry_of_death(outcome: Outcome, task: Task) -> None:
    check_last_attempt(task, 2)
    check_failed_attempts(outcome, task, attempts=2, has_data=False)
    assert Task(task.pathspec, attempt=0).exception is None


def check_retry_of_artifact(outcome: Outcome, task: Task) -> None:
    check_last_attempt(task, 2)
    check_failed_attempts(outcome, task, attempts=2, has_data=True)
    if outcome.lab.executor != "inline":
        assert "lock" in Task(task.pathspec, attempt=0).stderr


def retry(
    name: str, way: str, check: Callable[[Outcome, Task], None], where: tuple[str, ...] = ALL
) -> Trouble:
    return Trouble(f"retry-{name}", (RETRY,), retried(way), check, 3, executors=where)


def check_chosen_retry(outcome: Outcome, task: Task) -> None:
    check_last_attempt(task, 1)


# --- catch ----------------------------------------------------------------------------------------


def caught(way: str) -> str:
    return f'self.before = "kept"\nprint("before")\n{DIES[way]}'


def check_caught(outcome: Outcome, task: Task, kind: str, *, keeps: bool) -> None:
    failure = task.data.failure

    assert failure.type == kind
    assert (task.finished, task.successful, task.exception) == (True, False, None)
    assert task.status is Status.SUCCEEDED
    assert ("before" in task) is keeps
    assert "lock" not in task
    for child in task.child_tasks:
        if not outcome.shape[child.parent.id].is_join:
            assert child.data.failure.type == kind
            assert (child.finished, child.successful) == (True, True)


def check_caught_exception(outcome: Outcome, task: Task) -> None:
    check_caught(outcome, task, "builtins.ValueError", keeps=True)
    assert task.data.failure.exception == "trouble"
    assert "trouble" in task.data.failure.stacktrace


def check_caught_death(outcome: Outcome, task: Task) -> None:
    check_caught(outcome, task, "flowkit.exceptions.FailureHandledByCatch", keeps=False)
    assert task.current_attempt == 1
    assert outcome.lab.executor == "inline" or Task(task.pathspec, 0).stdout == "before\n"


def check_caught_timeout(outcome: Outcome, task: Task) -> None:
    check_caught(outcome, task, "flowkit.exceptions.TimeoutException", keeps=False)


def check_no_failure(outcome: Outcome, task: Task) -> None:
    assert task.data.failure is None
    assert (task.finished, task.successful) == (True, True)


def catch(
    name: str,
    ending: str,
    check: Callable[[Outcome, Task], None],
    *decorators: str,
    executions: int = 1,
    where: tuple[str, ...] = ALL,
) -> Trouble:
    lines = (CATCH, *decorators)
    return Trouble(f"catch-{name}", lines, ending, check, executions, can_be_caught, where)


# --- others ---------------------------------------------------------------------------------------


def check_environment(outcome: Outcome, task: Task) -> None:
    for other in outcome.tasks.values():
        is_set = other.parent.id == task.parent.id

        assert other.data.word == ("Käse" if is_set else None)
    assert task.data.number == "3"


def check_nesting(outcome: Outcome, task: Task) -> None:
    assert task.data.passed == ["outer in", "inner in", "step", "inner out", "outer out"]


NESTING = """
from flowkit import StepDecorator


class around(StepDecorator):
    allow_multiple = True

    def __init__(self, label="?"):
        self.label = label

    def wrap(self, call, task):
        if self.label == "outer":
            task.flow.passed = []
        task.flow.passed.append(f"{self.label} in")
        call()
        task.flow.passed.append(f"{self.label} out")
"""

TROUBLES = (
    retry("exception", "raise", check_retry_of_exception),
    retry("kill", "kill", check_retry_of_death, PROCESSES),
    retry("unpicklable", "unpicklable", check_retry_of_artifact),
    Trouble(
        "retry-on",
        ('@retry(times=1, minutes_between_retries=0, on=["ValueError"])',),
        retried("raise", times=1),
        check_chosen_retry,
        2,
    ),
    catch("exception", caught("raise"), check_caught_exception),
    catch("after-retry", caught("raise"), check_caught_exception, RETRY, executions=3),
    catch("kill", caught("kill"), check_caught_death, where=PROCESSES),
    catch("die", caught("die"), check_caught_death, where=PROCESSES),
    catch("exit", caught("exit"), check_caught_death),
    catch("unpicklable", caught("unpicklable"), check_caught_death),
    catch("nothing", "", check_no_failure),
    replace(
        catch(
            "timeout",
            'self.before = "lost"\nthreading.Event().wait()',
            check_caught_timeout,
            "@timeout(seconds=0.7)",
            where=PROCESSES,
        ),
        unsure=("spawn",),  # where the start of an interpreter counts, too
    ),
    Trouble(
        "environment",
        ('@environment(vars={"MATRIX_WORD": "Käse", "MATRIX_NUMBER": 3})',),
        'self.number = os.environ["MATRIX_NUMBER"]',
        check_environment,
    ),
    Trouble(
        "nesting",
        ('@around(label="outer")', "@timeout(minutes=5)", '@around(label="inner")'),
        'self.passed.append("step")',
        check_nesting,
        module=NESTING,
    ),
)
