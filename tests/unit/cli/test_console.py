"""The console draws events as lines; error texts reach stderr with an exit code."""

import io
import re
from dataclasses import replace

import click
import pytest

from flowkit import exceptions
from flowkit.cli.console import Console
from flowkit.cli.errors import show_error
from flowkit.enums import Cause, Status
from flowkit.exceptions import FlowkitError, Interrupted, LintError, NotFoundError
from flowkit.graph.problems import Problem
from flowkit.model.events import Notice, RunEnded, RunStarted, TaskEnded, TaskLines, TaskStarted
from flowkit.model.manifest import ArtifactRef, Transition
from flowkit.model.tasks import AttemptError, TaskKey, TaskResult, TaskSpec

SPEC = TaskSpec("F", "7", 3, TaskKey("fit"), is_join=False, inputs=(), root="")
RETRY = TaskSpec("F", "7", 3, TaskKey("fit"), is_join=False, inputs=(), root="", attempt=1)
REF = ArtifactRef("0" * 64, "pickle", "int", 1)


class Terminal(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self):
        return True


def lines(*events):
    out = io.StringIO()
    console = Console(out)
    for event in events:
        console(event)
    return [re.sub(r"^\S+ \S+ ", "", line) for line in out.getvalue().splitlines()]


def ended(status, error=None, next=None, *, will_retry=False, spec=SPEC, origin=None):  # noqa: A002
    result = TaskResult(spec, status, error=error, next=next, origin=origin)
    return TaskEnded(result, 1.0, will_retry)


def test_lines_carry_run_step_task_and_process():
    assert lines(TaskStarted(SPEC, 42), TaskLines(SPEC, "stdout", ["  a * b  ", ""])) == [
        "[7/fit/3 (pid 42)] Task is starting.",
        "[7/fit/3 (pid 42)]   a * b  ",
        "[7/fit/3 (pid 42)] ",
    ]


def test_attempts_are_told_apart():
    failed = AttemptError(Cause.EXCEPTION, "bad", "builtins.ValueError")
    final = AttemptError(Cause.EXIT, "exit 202", is_retryable=False)

    assert lines(
        TaskStarted(SPEC),
        ended(Status.FAILED, failed, will_retry=True),
        TaskStarted(RETRY),
        ended(Status.FAILED, final),
    ) == [
        "[7/fit/3] Task is starting.",
        "[7/fit/3] Task failed.",
        "[7/fit/3] Task is starting (retry).",
        "[7/fit/3] Task failed.",
        "[7/fit/3] This failed task will not be retried.",
    ]


def test_the_handling_of_a_dead_process_is_told_from_a_retry():
    fallback = replace(RETRY, fallback=AttemptError(Cause.SIGNAL, "killed"))

    assert lines(TaskStarted(fallback)) == [
        "[7/fit/3] Task fallback is starting to handle the failure."
    ]


def test_successes_tell_of_foreaches_and_of_reuse():
    assert lines(
        ended(Status.SUCCEEDED, next=Transition(("a",), "xs", (REF, REF))),
        ended(Status.CACHED, origin="F/6/fit/3"),
        ended(Status.FAILED, AttemptError(Cause.CANCELLED, "stopped")),
        Notice("step ran too long", SPEC),
        Notice("of the run"),
    ) == [
        "[7/fit/3] Foreach yields 2 child steps.",
        "[7/fit/3] Task finished successfully.",
        "[7/fit/3] Task reused from F/6/fit/3.",
        "[7/fit/3] Task was stopped.",
        "[7/fit/3] step ran too long",
        "of the run",
    ]


def run_ended(status, **fields):
    return RunEnded(flow="F", run_id="7", status=status, seconds=1.0, tasks=4, **fields)


def test_the_end_of_a_failed_run_names_step_task_and_reason(capsys):
    error = AttemptError(Cause.EXCEPTION, "bad\nworse", "builtins.ValueError")

    assert lines(run_ended(Status.FAILED, failed=SPEC, error=error)) == ["Workflow failed."]
    assert capsys.readouterr().err == (
        "    Step failure:\n    Step fit (task-id 3) failed.\n    ValueError: bad\n    worse\n"
    )


def test_the_end_of_other_runs():
    assert lines(run_ended(Status.SUCCEEDED)) == ["Done!"]
    assert lines(RunStarted("F", "7", "6"), run_ended(Status.SUCCEEDED, reused=3))[-1] == "Done!"
    cached = "3 of 4 tasks cached (run --no-cache to execute them)."
    assert lines(run_ended(Status.SUCCEEDED, reused=3))[-1] == cached
    assert lines(run_ended(Status.CANCELLED)) == ["Workflow interrupted."]


def test_a_terminal_gets_colours_but_no_control_sequences_of_tasks():
    out = Terminal()
    console = Console(out)
    console(TaskLines(SPEC, "stdout", ["\x1b[31mred\x1b[0m \x1b[2Jgone \x1b]0;title\x07\rx"]))

    assert "\x1b[31mred\x1b[0m gone " in out.getvalue()
    assert "title" not in out.getvalue()
    assert "\r" not in out.getvalue()


# --- errors ---------------------------------------------------------------------------------------


def kinds(base=FlowkitError):
    for kind in base.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_every_exit_code_is_one_of_the_documented_ones():
    codes = {
        kind.__name__: kind.exit_code for kind in kinds() if hasattr(exceptions, kind.__name__)
    }

    assert set(codes.values()) == {1, 2, 3, 4, 5, 6, 7, 8, 75, 130}
    assert codes["NotFoundError"] == 4
    assert codes["BlobCorrupted"] == 5
    assert codes["StorageError"] == 6


@pytest.mark.parametrize(
    ("error", "code", "printed"),
    [
        (NotFoundError("no run 5\nreally"), 4, "    Object not found:\n    no run 5\n    really\n"),
        (Interrupted("x", 15), 143, "    Workflow interrupted.\n"),
        (click.Abort(), 1, "Aborted!\n"),
        (LintError("broken"), 1, "    broken\n"),
    ],
)
def test_an_error_is_one_message_and_an_exit_code(capsys, error, code, printed):
    assert show_error(error) == code
    assert capsys.readouterr().err == printed


def test_all_lint_problems_are_printed(capsys):
    problems = [Problem("rule", "a", n, "/f.py", f"problem {n}") for n in (1, 2)]

    assert show_error(LintError("2 problems", problems)) == 1
    assert capsys.readouterr().err.splitlines() == [
        "    Validity checker found an issue in file /f.py on line 1:",
        "    problem 1",
        "    Validity checker found an issue in file /f.py on line 2:",
        "    problem 2",
    ]


def test_anything_else_is_a_bug_with_its_evidence(capsys):
    assert show_error(ZeroDivisionError("x")) == 1
    printed = capsys.readouterr().err
    assert printed.startswith("    Internal error:\n")
    assert "ZeroDivisionError: x" in printed
    assert "bug in flowkit" in printed


def test_verbose_adds_the_traceback(capsys):
    show_error(NotFoundError("no run"), verbose=True)

    assert "NotFoundError: no run" in capsys.readouterr().err
