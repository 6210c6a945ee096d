"""What the default executor must get right: processes, hash seeds, digests, odd flows."""

import re

import pytest

ORDER = """
class Order(FlowSpec):
    @step
    def start(self):
        self.next(self.delta, self.alpha, self.charlie, self.bravo)

    @step
    def alpha(self):
        self.next(self.join)

    @step
    def bravo(self):
        self.next(self.join)

    @step
    def charlie(self):
        self.next(self.join)

    @step
    def delta(self):
        self.next(self.join)

    @step
    def join(self, inputs):
        print(" ".join(entry._current_step for entry in inputs))
        print(str(current.run.pathspec), current.task.pathspec)
        self.next(self.end)

    @step
    def end(self):
        pass
"""


def test_the_order_of_join_inputs_does_not_depend_on_the_hash_seed(program):
    flow = program(ORDER)
    printed = [flow.run(PYTHONHASHSEED=seed)[0].lines for seed in ("1", "2", "3")]

    assert {lines[0] for lines in printed} == {"delta alpha charlie bravo"}
    assert printed[2][1] == "Order/3 Order/3/join/6"


DIGESTS = """
import numpy as np
import collections

class Digests(FlowSpec):
    @step
    def start(self):
        self.array = np.arange(50_000)
        self.sets = {"b", "a", "ccc"}
        self.rows = [{"a": 1}, collections.OrderedDict(b=2)]
        self.changed = [1]
        self.removed = 1
        self._private = 1
        self.next(self.middle)

    @step
    def middle(self):
        print(self.array.sum(), len(self.sets), self.rows[1]["b"])
        self.changed.append(2)
        del self.removed
        try:
            self._private
        except AttributeError as error:
            print(error)
        self.next(self.end)

    @step
    def end(self):
        print(hasattr(self, "removed"), self.changed)
"""


def test_values_keep_their_digest_across_processes_unless_they_are_changed(program):
    flow = program(DIGESTS)
    outcome, run = flow.run()

    before, after = run["start"].task, run["end"].task
    for name in ("array", "sets", "rows"):
        assert before[name].sha == after[name].sha, name
    assert before["changed"].sha != after["changed"].sha
    assert (before.data.changed, after.data.changed) == ([1], [1, 2])
    assert "removed" in before
    assert "removed" not in after
    assert "private to a step and not passed on" in outcome.out
    assert outcome.lines[-1] == "False [1, 2]"


ODD = """
class First(FlowSpec):
    @step
    def start(self):
        self.which = "first"
        self.next(self.end)

    @step
    def end(self):
        pass

class Mixin:
    extra = Parameter("extra", default=2)

    @step
    def middle(self):
        self.path += ["middle"]
        self.next(self.end)

class Second(Mixin, First, FlowSpec):
    @step
    def start(self):
        self.which, self.path = "second", ["start"]
        self.next(self.middle)

    def unrelated(self):
        pass

Second()
First()
AFTERWARDS = "a task never gets here, and __main__ is not guarded"
"""


@pytest.mark.parametrize("executor", ["local", "inline", "spawn"])
def test_a_file_may_define_two_flows_and_start_one_without_a_guard(program, executor):
    flow = program(ODD)
    outcome = flow("--executor", executor, "run", "--extra", "3")

    assert outcome.code == 0, outcome.err
    data = flow.read("Second/1").data
    assert (data.which, data.path, data.extra) == ("second", ["start", "middle"], 3)
    assert len(re.findall("Workflow starting", outcome.out)) == 1


MANY = """
class Many(FlowSpec):
    count = Parameter("count", default=0)

    @step
    def start(self):
        self.xs = list(range(self.count))
        self.next(self.outer, foreach="xs")

    @step
    def outer(self):
        self.ys = "ab"[: self.input]
        self.next(self.inner, foreach="ys")

    @step
    def inner(self):
        self.kind = "again" if current.task.index == 0 and not hasattr(self, "kind") else self.input
        self.next({"again": self.inner, "a": self.tell, "b": self.tell_b}, condition="kind")

    @step
    def tell(self):
        self.told = ("a", self.foreach_stack())
        self.next(self.close)

    @step
    def tell_b(self):
        self.told = ("b", self.foreach_stack())
        self.next(self.close)

    @step
    def close(self):
        self.next(self.inner_join)

    @step
    def inner_join(self, inputs):
        self.told = [entry.told for entry in inputs]
        self.next(self.outer_join)

    @step
    def outer_join(self, inputs):
        self.told = [(entry.input, entry.told) for entry in inputs]
        self.next(self.end)

    @step
    def end(self):
        print(self.told)
"""


def test_nested_foreaches_switches_and_recursion_work_together(program):
    flow = program(MANY)
    _, run = flow.run("--count", "3")

    assert run.data.told == [
        (0, []),
        (1, [("a", [(1, 3, 1), (0, 1, "a")])]),
        (2, [("a", [(2, 3, 2), (0, 2, "a")]), ("b", [(2, 3, 2), (1, 2, "b")])]),
    ]
    assert len(list(run["inner"])) == 5
    assert [step.id for step in run][:2] == ["end", "outer_join"]


def test_an_empty_foreach_runs_its_join_and_too_many_splits_are_refused(program):
    flow = program(MANY)
    _, run = flow.run("--count", "0")

    assert run.data.told == []
    too_many = flow("run", "--count", "3", "--max-num-splits", "2")
    assert too_many.code == 1
    assert "has 3 items, but at most 2 are allowed" in too_many.err
    assert "--max-num-splits" in too_many.err
    assert flow.read("Many").latest_run.status == "failed"


LIMITED = """
class Limited(FlowSpec):
    @environment(vars={"BIRD": "duck"})
    @step
    def start(self):
        import os
        print(os.environ["BIRD"])
        for _ in range(30_000):
            print("x" * 49)
        print("the end")
        self.next(self.end)

    @step
    def end(self):
        import os
        print(os.environ.get("BIRD"))
"""


def test_the_log_of_a_task_is_limited_and_says_so(program):
    flow = program(LIMITED)
    outcome, run = flow.run("--max-log-size", "1")

    kept = run["start"].task.stdout
    assert 900_000 < len(kept) < 1_100_000
    assert kept.startswith("duck\n")
    assert "the end" not in kept
    assert "bytes" in kept[-200:]
    assert outcome.lines[-1] == "None"


def test_an_artifact_knows_the_tasks_that_have_read_it(program):
    flow = program(
        """
        class Reading(FlowSpec):
            @step
            def start(self):
                self.table = list(range(10))
                self.unread = 1
                self.next(self.total, self.length)

            @step
            def total(self):
                self.found = sum(self.table)
                self.next(self.join)

            @step
            def length(self):
                self.found = 0
                self.next(self.join)

            @step
            def join(self, inputs):
                self.best = max(one.found for one in inputs)
                self.next(self.end)

            @step
            def end(self):
                pass
        """
    )

    _, run = flow.run()

    made = run["start"].task
    assert [task.pathspec for task in made["table"].consumers()] == ["Reading/1/total/2"]
    assert list(made["unread"].consumers()) == []
    assert [t.pathspec for t in run["total"].task["found"].consumers()] == ["Reading/1/join/4"]
