"""How runs end: failures of every kind, what is left of them, and what is printed."""

import sys

import pytest

FAILING = """
import os, sys, threading

class Fail(FlowSpec):
    how = Parameter("how")

    @step
    def start(self):
        self.before = {"a": 1}
        print("   * indented * **kwargs", flush=True)
        print("to stderr", file=sys.stderr)
        getattr(self, "by_" + self.how.replace("-", "_"))()
        self.next(self.end)

    def by_exception(self):
        self.compute(*[1], **{"b": 0})

    def compute(self, a, b):
        return a / b

    def by_bad_exception(self):
        class Bad(Exception):
            def __init__(self, *, words):
                super().__init__(lambda: words)
            def __str__(self):
                raise RuntimeError
        raise Bad(words=1)

    def by_group(self):
        raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])

    def by_keyboard_interrupt(self):
        raise KeyboardInterrupt

    def by_os_exit(self):
        os._exit(7)

    def by_os_exit_zero(self):
        os._exit(0)

    def by_sys_exit(self):
        sys.exit("enough")

    def by_kill(self):
        os.kill(os.getpid(), 9)

    def by_value(self):
        self.good = 1
        self.lock = [threading.Lock()]
        self.rows = (row for row in "ab")

    @step
    def end(self):
        pass
"""


@pytest.fixture(scope="module")
def failing(shared_program):
    return shared_program(FAILING)


def fail(failing, how):
    outcome = failing("run", "--how", how)
    assert outcome.code == 1
    return outcome, failing.read("Fail").latest_run["start"].task


def test_an_exception_shows_the_users_lines_and_keeps_what_was_set(failing):
    outcome, task = fail(failing, "exception")

    assert outcome.lines[:2] == ["   * indented * **kwargs", "to stderr"]
    assert '    self.compute(*[1], **{"b": 0})' in outcome.lines
    assert "ZeroDivisionError: division by zero" in outcome.lines
    assert f", line {failing.line_of('return a / b')}, in compute" in outcome.out
    assert "<flow Fail step start> failed:" in outcome.out
    assert "flowkit/" not in outcome.out
    assert "Task failed." in outcome.out
    assert outcome.out.rstrip().endswith("Workflow failed.")
    assert outcome.err.endswith(
        "    Step failure:\n    Step start (task-id 1) failed.\n"
        "    ZeroDivisionError: division by zero\n"
    )
    assert (task.finished, task.successful, task.status) == (False, False, "failed")
    assert task.data.before == {"a": 1}
    assert task.exception.type == "builtins.ZeroDivisionError"
    assert "return a / b" in str(task.exception)
    assert task["_task_ok"].data is False
    assert "   * indented * **kwargs\n" in task.stdout
    assert not task.parent.parent.successful


@pytest.mark.parametrize(
    ("how", "type_name", "printed"),
    [
        ("bad-exception", "flow.Fail.by_bad_exception.<locals>.Bad", "Bad without a text"),
        ("group", "builtins.ExceptionGroup", "several (2 sub-exceptions)"),
        ("keyboard-interrupt", "builtins.KeyboardInterrupt", "KeyboardInterrupt"),
        ("sys-exit", "builtins.SystemExit", "step ended with sys.exit: enough"),
    ],
)
def test_whatever_is_raised_is_told_and_kept(failing, how, type_name, printed):
    outcome, task = fail(failing, how)

    assert printed in outcome.err
    assert outcome.lines.count(printed) <= 1
    assert task.exception.type.endswith(type_name.removeprefix("flow."))
    assert task.data.before == {"a": 1}


@pytest.mark.parametrize(
    ("how", "sentence"),
    [
        ("os-exit", "exit code 7"),
        ("os-exit-zero", "step ended with exit code 0 without finishing"),
        ("kill", "step was killed by SIGKILL"),
    ],
)
def test_a_process_that_dies_is_a_failed_attempt_with_its_log(failing, how, sentence):
    outcome, task = fail(failing, how)

    assert sentence in outcome.err
    assert sentence in outcome.out
    assert (task.finished, task.successful, task.exception) == (False, False, None)
    assert "   * indented * **kwargs\n" in task.stdout
    assert "before" not in task


def test_values_that_can_not_be_stored_are_all_named_and_the_others_kept(failing):
    outcome, task = fail(failing, "value")

    assert "cannot store self.lock: [0]: _thread.lock" in outcome.err
    assert "cannot store self.rows: generator" in outcome.err
    assert "cannot store self.lock: [0]: _thread.lock" in outcome.out
    assert "Traceback" not in outcome.out + outcome.err
    assert (task.data.good, task.data.before) == (1, {"a": 1})
    assert "lock" not in task


def test_a_failure_stops_the_run_and_later_steps_never_start(program):
    flow = program("""
        class Wide(FlowSpec):
            @step
            def start(self):
                self.xs = range(6)
                self.next(self.each, foreach="xs")

            @retry(times=1, minutes_between_retries=0)
            @step
            def each(self):
                print(f"attempt {current.retry_count} of {self.input}")
                if self.input == 0:
                    raise ValueError(self.input)
                self.next(self.join)

            @step
            def join(self, inputs):
                self.next(self.end)

            @step
            def end(self):
                pass
    """)

    outcome = flow("run", "--max-workers", "1")
    run = flow.read("Wide/1")

    assert outcome.code == 1
    assert outcome.lines.count("attempt 0 of 0") == 1
    assert "Task is starting (retry)." in outcome.out
    assert "Step each (task-id 2) failed." in outcome.err
    assert [step.id for step in run] == ["each", "start"]
    assert len(list(run["each"])) == 1
    assert run.status == "failed"
    assert [flow.read("Wide/1/each/2").current_attempt] == [1]


CLASSES = """
from dataclasses import dataclass
from collections import namedtuple

@dataclass
class Row:
    a: int
    def double(self): return 2 * self.a

Pair = namedtuple("Pair", "x y")

def helper(x): return x + 1

class Classes(FlowSpec):
    limit = [1]

    @step
    def start(self):
        self.row, self.pair, self.helper_function, self.kind = Row(3), Pair(1, 2), helper, Row
        self.add = lambda x: helper(x) + 1
        self.limit.append(2)
        self.next(self.end)

    @step
    def end(self):
        assert self.limit == [1], self.limit
        self.same = isinstance(self.row, Row)
        self.sum = self.add(1)
"""


def test_classes_of_the_flow_file_load_in_processes_that_can_import_it(program):
    flow = program(CLASSES)
    _, run = flow.run()
    reader = (
        "from flowkit import Run, namespace; namespace(None)\n"
        "data = Run('Classes/1').data\n"
        "print(data.row.double(), data.pair.y, data.helper_function(1), data.kind.__module__,"
        " data.same, data.sum, data.add(5), data.limit)\n"
    )
    read = flow.execute([sys.executable, "-c", reader], PYTHONPATH=str(flow.directory))

    assert (read.out, read.err) == ("6 2 2 flow True 3 7 [1]\n", "")
    assert run["start"].task["row"].type == "flow.Row"


def test_dump_of_a_class_that_can_not_be_imported_says_what_is_missing(program):
    flow = program(CLASSES)
    flow.run()
    reader = "from flowkit import Run, namespace; namespace(None); Run('Classes/1').data.row"
    read = flow.execute([sys.executable, "-c", reader], cwd=flow.directory.parent)

    assert read.err.splitlines()[-1].endswith("cannot load a flow.Row: it needs the module 'flow'")


@pytest.mark.parametrize("file", ["my flow.py", "flöw.py", "mailbox.py", "1st-flow.py"])
def test_odd_file_names_work_from_another_directory(program, tmp_path, file):
    flow = program(CLASSES, file)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    outcome = flow("run", cwd=elsewhere)
    assert outcome.code == 0, outcome.out + outcome.err
    dumped = flow("dump", "1/end", "--include", "row,sum", cwd=elsewhere)
    assert "row [" in dumped.out
    assert "= Row(a=3)" in dumped.out
    assert list(elsewhere.iterdir()) == []
