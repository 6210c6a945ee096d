"""The guide's sample on caching (15), and each change that says something of artifacts (20)."""

import pytest

from flowkit import Client, save_artifact

CACHED = """
class Cached(FlowSpec):
    enable_cache = True
    model: Annotated[Any, ArtifactConfig(name="model", tags=["one"], run_metadata={"team": "a"})]
    table: Annotated[list, ArtifactConfig(name="table", version="v1")]
    base = ExternalArtifact(name="base")

    @step
    def start(self):
        self.model = {"weights": [1, 2]}
        self.table = [self.base]
        self.next(self.end)

    @step
    def end(self):
        self.size = len(self.model["weights"])
"""


def ran(outcome):
    """The steps that ran; the others were taken over."""
    return {step for step in ("start", "end") if f"/{step}/" in starts(outcome)}


def starts(outcome):
    return "\n".join(line for line in outcome.out.splitlines() if "Task is starting" in line)


@pytest.fixture
def cached(guide):
    """A flow with caching that has run once."""
    flow = guide(CACHED)
    save_artifact("base", "base")
    assert ran(flow.run()[0]) == {"start", "end"}
    return flow


def edit(flow, old, new):
    text = flow.path.read_text()
    assert old in text
    flow.path.write_text(text.replace(old, new))


def listed(**query):
    return sorted(map(str, Client().list_artifact_versions(**query)))


def test_sample_15_the_second_run_skips_its_steps_and_says_why_one_ran(cached):
    outcome, run = cached.run()

    assert ran(outcome) == set()
    assert "start/1] Task reused from Cached/1/start/1." in outcome.out
    assert outcome.out.rstrip().endswith("2 of 2 tasks cached (run --no-cache to execute them).")
    assert run.data.size == 2
    edit(cached, "[1, 2]", "[1, 2, 3]")
    edit(cached, 'version="v1"', 'version="v2"')
    outcome, _ = cached.run()
    assert ran(outcome) == {"start", "end"}
    assert "start/1] ran because" in outcome.out
    assert "end/2] ran because read 'model' changed" in outcome.out


def test_sample_20_a_run_without_changes_makes_no_version(cached):
    cached.run()

    assert listed() == ["base@1", "model@1", "table@v1"]
    assert listed(pipeline_run="Cached/2") == ["model@1", "table@v1"]


def test_sample_20_new_tags_and_metadata_come_without_running(cached):
    edit(cached, '["one"], run_metadata={"team": "a"}', '["two"], run_metadata={"team": "b"}')
    outcome, _ = cached.run()
    model = Client().get_artifact_version("model@1")

    assert ran(outcome) == set()
    assert listed(name="model") == ["model@1"]
    assert (model.tags, model.run_metadata["team"]) == (("one", "two"), "b")


def test_sample_20_a_new_name_comes_without_running(cached):
    edit(cached, 'name="model"', 'name="renamed"')
    outcome, _ = cached.run()
    cached.run()
    client = Client()

    assert ran(outcome) == set()
    assert listed(name="renamed") == ["renamed@1"]
    old, new = client.get_artifact_version("model"), client.get_artifact_version("renamed")
    assert old.digest == new.digest
    assert (old.run.name, new.run.name) == ("Cached/1", "Cached/2")


def test_sample_20_a_new_version_comes_without_running(cached):
    edit(cached, 'version="v1"', 'version="v2"')
    outcome, _ = cached.run()

    assert ran(outcome) == set()
    assert listed(name="table") == ["table@v1", "table@v2"]


def test_sample_20_a_version_that_somebody_else_made_is_an_error(cached):
    save_artifact([0], "table", version="v2")
    edit(cached, 'version="v1"', 'version="v2"')
    outcome = cached("run")

    assert outcome.code == 1
    assert "artifact version table@v2 exists already with other content" in outcome.err
    assert Client().load_artifact("table@v2") == [0]


def test_sample_20_a_new_version_of_an_input_counts_by_its_content(cached):
    save_artifact("base", "base")
    assert ran(cached.run()[0]) == set()
    edit(cached, 'version="v1"', 'version="v2"')
    save_artifact("other", "base")
    assert ran(cached.run()[0]) == {"start"}

    assert Client().load_artifact("table@v2") == ["other"]


def test_sample_20_an_artifact_that_the_step_looks_up_itself_is_never_stale(guide):
    flow = guide(
        """
class Looking(FlowSpec):
    @step(enable_cache=True)
    def start(self):
        self.found = Client().get_artifact_version("base").load()
        self.next(self.end)

    @step
    def end(self):
        pass
"""
    )
    save_artifact(1, "base")
    _, run = flow.run()
    assert run.data.found == 1
    assert ran(flow.run()[0]) == {"end"}
    save_artifact(2, "base")

    assert flow.run()[1].data.found == 2


def test_sample_20_a_failed_step_leaves_nothing_to_take_over(cached):
    edit(cached, "self.size =", "assert open('ok')\n        self.size =")
    assert cached("run").code == 1
    (cached.directory / "ok").touch()

    assert ran(cached.run()[0]) == {"end"}
