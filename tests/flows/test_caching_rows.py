"""The tables of what reuses a result and what doesn't, row by row, through real flow files."""

import re
from pathlib import Path

import pytest

from flowkit import Client, metadata, save_artifact

FLOW = """
import json, os
from typing import Annotated, Any
import numpy, pandas
import helpers
from flowkit import ArtifactConfig, Client, ExternalArtifact, JSONType
from flowkit.materializers import BaseMaterializer

class Box:
    def __init__(self, content):
        self.content = content

class BoxMaterializer(BaseMaterializer):
    ASSOCIATED_TYPES = (Box,)

    def save(self, box):
        with open(os.path.join(self.uri, "box.json"), "w") as file:
            json.dump(box.content, file)

    def load(self, kind):
        with open(os.path.join(self.uri, "box.json")) as file:
            return Box(json.load(file))

class Rows(FlowSpec):
    enable_cache = True
    report: Annotated[Any, ArtifactConfig(name="report", tags=["one"], run_metadata={"k": 1})]
    size: int
    given = ExternalArtifact(name="given")
    first = Parameter("first", default="1")
    second = Parameter("second", default="2y3")
    plain = Parameter("plain", default="1", type=JSONType)
    names = Parameter("names", default="a,b")

    @step
    def start(self):
        self.frame = helpers.frame()
        self.array = numpy.arange(3) * helpers.factor()
        self.unread = helpers.unread()
        self.items = self.names.split(",")
        self.next(self.read)

    @step
    def read(self):
        self.total = int(self.frame.a.sum() + self.array.sum())
        self.next(self.write)

    @step
    def write(self):
        self.report = {"total": self.total}
        self.box = Box([1])
        self.size = 3
        self.next(self.use)

    @step
    def use(self):
        self.unboxed = self.box.content
        self.next(self.ask)

    @step
    def ask(self):
        self.found = Client().get_artifact_version("published").load()
        self.next(self.params)

    @step
    def params(self):
        self.both = [self.first, self.second, self.plain]
        self.next(self.outside)

    @step
    def outside(self):
        self.external = self.given
        self.next(self.each, foreach="items")

    @retry(times=0)
    @step
    def each(self):
        print("working on", self.input)
        self.score = len(self.input)
        self.model = self.input * helpers.twice()
        self.next(self.join)

    @step
    def join(self, inputs):
        self.best = max(i.score for i in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("done", self.best)
"""
HELPERS = """
import pandas

def frame():
    return pandas.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]})

def factor():
    return 2.0

def unread():
    return 1

def twice():
    return 2
"""
ALL = {"start", "read", "write", "use", "ask", "params", "outside", "each", "join", "end"}
_RAN = re.compile(r"\[[\w-]+/(\w+)/\d+ \(pid \d+\)\] Task is starting")


def ran(outcome):
    return set(_RAN.findall(outcome.out))


@pytest.fixture(scope="module")
def rows(shared_program):
    program = shared_program(FLOW)
    (program.directory / "helpers.py").write_text(HELPERS)
    metadata(str(program.directory))
    save_artifact("external", name="given")
    save_artifact("one", name="published")
    outcome, _ = program.run()
    assert ran(outcome) == ALL
    return program


@pytest.fixture
def edit(rows):
    """A function that edits a file until the test is over."""
    before = {path: path.read_text() for path in rows.directory.glob("*.py")}

    def change(file, old, new):
        path = rows.directory / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    yield change
    for path, text in before.items():
        path.write_text(text)


def reports(program, name="report"):
    metadata(str(program.directory))
    return list(Client().list_artifact_versions(name))


# --- the first table: 1.14, with the right column -------------------------------------------------


def test_same_code_again(rows):
    outcome, run = rows.run()

    assert ran(outcome) == set()
    assert outcome.out.rstrip().endswith("11 of 11 tasks cached (run --no-cache to execute them).")
    task = run["read"].task
    assert task.origin_pathspec.startswith("Rows/")
    assert task.data.total == 12
    assert [version.version for version in reports(rows)] == ["1"]


def test_helper_function_called_by_the_step_edited(rows, edit):
    edit("helpers.py", "return 1\n", "return len('x')\n")

    assert ran(rows.run()[0]) == {"start"}


def test_comment_or_docstring_edited_in_the_step(rows, edit):
    edit(
        "flow.py",
        "        self.both =",
        "        'both'\n        # a comment\n\n        self.both =",
    )

    assert ran(rows.run()[0]) == set()


def test_step_config_retry_or_extra_changed(rows, edit):
    edit("flow.py", "@retry(times=0)", "@retry(times=2)")

    assert ran(rows.run()[0]) == set()


def test_step_environment_changed(rows, edit):
    edit("flow.py", "    @retry(times=0)", "    @environment(vars={'A': '1'})\n    @retry(times=0)")

    assert ran(rows.run()[0]) == {"each"}


def test_upstream_code_changed_same_value_out(rows, edit):
    edit("flow.py", "int(self.frame", "0 + int(self.frame")

    assert ran(rows.run()[0]) == {"read"}


def test_upstream_code_changed_same_frame_and_array_out(rows, edit):
    edit("helpers.py", '"a": [1, 2, 3]', '"a": [1, 2] + [3]')
    edit("helpers.py", "return 2.0", "return 1.0 + 1.0")

    assert ran(rows.run()[0]) == {"start"}


def test_output_tags_and_metadata_edited(rows, edit):
    edit("flow.py", 'tags=["one"], run_metadata={"k": 1}', 'tags=["two"], run_metadata={"k": 2}')

    assert ran(rows.run()[0]) == set()
    (version,) = reports(rows)
    assert set(version.tags) == {"one", "two"}
    assert version.run_metadata["k"] == 2


def test_output_renamed(rows, edit):
    edit("flow.py", 'name="report"', 'name="renamed"')

    assert ran(rows.run()[0]) == set()
    assert ran(rows.run()[0]) == set()
    (new,) = reports(rows, "renamed")
    assert new.load() == reports(rows)[0].load() == {"total": 12}


def test_output_version_edited(rows, edit):
    edit("flow.py", 'name="report"', 'name="report", version="v1"')

    assert ran(rows.run()[0]) == set()
    assert {version.version for version in reports(rows)} == {"1", "v1"}


def test_same_content_published_as_a_new_version(rows):
    metadata(str(rows.directory))
    save_artifact("external", name="given")
    save_artifact("one", name="published")

    assert ran(rows.run()[0]) == set()


def test_step_loads_latest_via_client_inside_its_body(rows):
    metadata(str(rows.directory))
    save_artifact("two", name="published")
    try:
        outcome, run = rows.run()
    finally:
        save_artifact("one", name="published")

    assert ran(outcome) == {"ask"}
    assert run["ask"].task.data.found == "two"
    assert "ran because version published changed" in outcome.out


def test_new_content_of_an_external_artifact(rows):
    metadata(str(rows.directory))
    save_artifact("other", name="given")
    try:
        assert ran(rows.run()[0]) == {"outside"}
    finally:
        save_artifact("external", name="given")


def test_parameters_whose_texts_joined_are_the_same(rows):
    outcome, run = rows.run("--first", "12", "--second", "y3")

    assert ran(outcome) == {"params"}
    assert run["params"].task.data.both == ["12", "y3", 1]


def test_parameter_1_then_text_1(rows):
    outcome, run = rows.run("--plain", '"1"')
    again, one = rows.run("--plain", "true")

    assert ran(outcome) == ran(again) == {"params"}
    assert run["params"].task.data.both[2] == "1"
    assert one["params"].task.data.both[2] is True


def test_artifact_deleted(rows, edit):
    edit("flow.py", 'name="report"', 'name="to_delete"')
    rows.run()
    metadata(str(rows.directory))
    Client().delete_artifact_version(reports(rows, "to_delete")[0].id, force=True)

    assert ran(rows.run()[0]) == set()
    assert reports(rows, "to_delete")[0].load() == {"total": 12}


# --- the second table: 2.4, what the first one doesn't have ---------------------------------------


def test_read_input_has_other_content_but_unread_has_not(rows, edit):
    edit("helpers.py", "return 1\n", "return 5\n")
    assert ran(rows.run()[0]) == {"start"}

    edit("helpers.py", "[1, 2, 3]", "[1, 2, 4]")
    steps = ran(rows.run()[0])

    assert steps == {"start", "read", "write"}


def test_materializer_code_changed(rows, edit):
    edit("flow.py", "json.dump(box.content, file)", "json.dump(box.content, file, indent=1)")
    outcome, _ = rows.run()

    assert ran(outcome) == {"write", "use"}
    assert "ran because materializer flow.BoxMaterializer has other code" in outcome.out


def test_declared_type_changed(rows, edit):
    edit("flow.py", "size: int", "size: int | None")
    assert ran(rows.run()[0]) == set()

    edit("flow.py", "size: int | None", "size: str")
    refused = rows("run")

    assert refused.code == 1
    assert ran(refused) == {"write"}
    assert "self.size is declared as str" in refused.err


def test_version_of_an_installed_package_changed(program, tmp_path):
    package = tmp_path / "site-packages" / "pinned"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("__version__ = '1'\ndef value():\n    return 1\n")
    flow = program(
        """
        import pinned

        class Pins(FlowSpec):
            enable_cache = True

            @step
            def start(self):
                self.x = pinned.value()
                self.next(self.end)

            @step
            def end(self):
                pass
        """
    )
    path = {"PYTHONPATH": str(package.parent)}
    flow.run(**path)
    assert ran(flow.run(**path)[0]) == set()
    (package / "__init__.py").write_text("__version__ = '2'\ndef value():\n    return 1\n")

    outcome, _ = flow.run(**path)

    assert ran(outcome) == {"start"}
    assert "ran because package pinned changed" in outcome.out


def test_environment_variable_that_nobody_declared(program):
    flow = program(
        """
        import os

        class Undeclared(FlowSpec):
            enable_cache = True

            @step
            def start(self):
                self.home = os.environ["HOME"]
                self.next(self.end)

            @step
            def end(self):
                pass
        """
    )
    first, _ = flow.run()

    line = flow.line_of('os.environ["HOME"]')
    told = f"can't be reused, as the step looks at os.environ (environment) at {flow.path}:{line}"
    assert first.out.count(told) == 1
    assert ran(flow.run()[0]) == {"start"}


def test_other_looks_into_the_store_are_noticed(program):
    flow = program(
        """
        from flowkit import Flow

        class Looks(FlowSpec):
            enable_cache = True

            @step
            def start(self):
                self.run = Flow("Looks", _namespace_check=False).latest_run.id
                self.next(self.end)

            @step
            def end(self):
                pass
        """
    )
    first, _ = flow.run()
    second, run = flow.run()

    assert f"(artifacts) at {flow.path}:{flow.line_of('latest_run')}" in first.out
    assert ran(second) == {"start"}
    assert run.data.run == run.id


def test_version_facts_that_a_step_reads_count(program):
    flow = program(
        """
        from flowkit import Client

        class Facts(FlowSpec):
            enable_cache = True

            @step
            def start(self):
                self.tags = Client().get_artifact_version("published").tags
                self.next(self.end)

            @step
            def end(self):
                pass
        """
    )
    metadata(str(flow.directory))
    save_artifact(1, name="published")
    flow.run()
    assert ran(flow.run()[0]) == set()
    Client().get_artifact_version("published").tag("new")

    outcome, run = flow.run()

    assert ran(outcome) == {"start", "end"} - {"end"}
    assert run["start"].task.data.tags == ("new",)


def test_no_cache_executes_and_still_keeps_and_off_keeps_nothing(program):
    flow = program(
        """
        class Kept(FlowSpec):
            x = Parameter("x", default=1)

            @step
            def start(self):
                self.y = self.x
                self.next(self.end)

            @step
            def end(self):
                pass
        """
    )
    for option in (["--cache", "off"], ["--cache=off"]):
        flow.run(*option)
    assert ran(flow.run("--cache")[0]) == {"start", "end"}

    kept = {"FLOWKIT_CACHE": "1"}
    assert ran(flow.run("--no-cache", "--x", "2", **kept)[0]) == {"start", "end"}
    assert ran(flow.run("--x", "2", **kept)[0]) == set()
    assert ran(flow.run("--cache", "refresh=end", "--x", "2")[0]) == {"end"}
    assert ran(flow.run("--cache=refresh=start,end", "--x", "2")[0]) == {"start", "end"}
    refused = flow("run", "--cache", "refresh=nothing")
    assert (refused.code, "there is no step nothing" in refused.err) == (2, True)


def test_failed_step_leaves_no_result(program):
    flow = program(
        """
        import os

        class Fails(FlowSpec):
            enable_cache = True

            @step
            def start(self):
                self.x = 1
                if os.path.exists("bad"):
                    raise ValueError("bad")
                self.next(self.end)

            @step
            def end(self):
                pass
        """
    )
    (flow.directory / "bad").touch()
    assert flow("run").code == 1
    (flow.directory / "bad").unlink()

    assert ran(flow.run()[0]) == {"start", "end"}


def test_foreach_reordered_and_longer_runs_only_new_items(rows):
    outcome, _ = rows.run("--names", "c,b,a")

    assert [line for line in outcome.lines if line.startswith("working")] == ["working on c"]


def test_join_that_reads_only_the_score_does_not_see_the_model(rows, edit):
    edit("helpers.py", "return 2\n", "return 3\n")

    assert ran(rows.run()[0]) == {"each"}


def test_results_older_than_their_limit_run_again(rows, edit):
    edit("flow.py", "    @step\n    def end", "    @step(cache_ttl=1e-9)\n    def end")

    outcome, _ = rows.run()

    assert ran(outcome) == {"end"}
    assert "is too old or can't be taken over" in outcome.out


def test_cached_tasks_have_origin_lineage_and_the_logs_of_their_origin(rows):
    _, run = rows.run("--no-cache")
    _, again = rows.run()

    task = next(iter(again["each"]))
    assert task.finished
    assert task.origin_pathspec.startswith(f"Rows/{run.id}/each/")
    assert {one.id for one in task.parent_tasks} == {again["outside"].task.id}
    shown = rows("logs", f"{again.id}/end")
    assert "done 1" in shown.out


# --- looking ahead --------------------------------------------------------------------------------


def test_plan_says_what_would_run_and_why(rows, edit):
    edit("helpers.py", "[1, 2, 3]", "[1, 2, 4]")

    planned = rows("--quiet", "cache", "plan", "--names", "a,b,c").out
    named = rows.store("cache", "plan", "Rows", "--names", "a,b,c").out

    table = {line.split()[0]: " ".join(line.split()[1:]) for line in planned.splitlines()[2:-1]}
    assert re.match(r"1 \d+\.\d ran because helper helpers.frame\(\) was edited", table["start"])
    assert re.match(r"up to 1 \d+\.\d if 'array', 'frame' changes", table["read"])
    assert re.match(r"up to 1 \d+\.\d if 'box' changes", table["use"])
    assert table["params"] == "1"
    assert re.search(r"^1 task would run and up to \d more: about", planned.splitlines()[-1])
    assert named == planned
    assert ran(rows.run()[0]) <= {"start", "read", "write"}


def test_verify_computes_results_again_and_finds_those_that_differ(program):
    flow = program(
        """
        import random

        class Luck(FlowSpec):
            enable_cache = True

            @step
            def start(self):
                self.same = 1
                self.next(self.end)

            @step
            def end(self):
                self.luck = random.random()
        """
    )
    flow.run()

    outcome = flow.store("cache", "verify", str(Path(flow.path)), "--sample", "5")

    assert outcome.code == 1
    assert "Luck/1/start/1: the same" in outcome.out
    assert "Luck/1/end/2: has other values of 'luck'" in outcome.out
    assert "1 of 2 results are the same when computed again" in outcome.out
