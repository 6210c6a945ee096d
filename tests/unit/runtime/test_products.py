"""What a task publishes and logs leaves it with its result, or not at all."""

from typing import Annotated, Any

import pytest

from flowkit import (
    ArtifactConfig,
    ArtifactType,
    FlowSpec,
    Parameter,
    catch,
    current,
    get_step_context,
    log_artifact_metadata,
    log_metadata,
    step,
)
from flowkit.enums import Status
from flowkit.model.plainvalues import restored


class Flow(FlowSpec):
    """Base of flows with two steps; subclasses say what happens in the first."""

    model: Annotated[
        Any, ArtifactConfig("trained", artifact_type="MODEL", tags=["t"], run_metadata={"a": 1})
    ]
    plain: int
    rate = Parameter("rate", default=2)

    def body(self):
        pass

    @step
    def start(self):
        self.body()
        self.next(self.end)

    @step
    def end(self):
        pass


def published(played, task="start"):
    return {one.name: one for one in played.of(task).publishes}


def logged(played, task="start"):
    return {
        one.subject: {key: restored(value) for key, value in one.values.items()}
        for one in played.of(task).annotations
    }


def test_a_named_attribute_is_published_with_what_is_declared(play):
    class Named(Flow):
        def body(self):
            self.model = {"w": 1}
            self.plain = 3

    played = play(Named, rate=2)
    (made,) = played.of("start").publishes

    assert (made.name, made.version, made.attribute) == ("trained", None, "model")
    assert made.artifact_type is ArtifactType.MODEL
    assert made.tags == ("t",)
    assert made.metadata["a"] == 1
    assert played.store.load(made.ref) == {"w": 1}
    assert played.of("end").publishes == ()


def test_what_a_step_only_passes_on_is_not_published(play):
    class Passing(Flow):
        def body(self):
            self.model = [1]

        @step
        def end(self):
            print(self.model)

    assert play(Passing, rate=2).of("end").publishes == ()


def test_a_named_artifact_that_is_changed_in_place_is_published_again(play):
    class Changing(Flow):
        def body(self):
            self.model = [1]

        @step
        def end(self):
            self.model.append(2)

    played = play(Changing, rate=2)

    assert played.store.load(published(played, "end")["trained"].ref) == [1, 2]


def test_a_failed_step_publishes_nothing_but_keeps_its_own_metadata(play):
    class Failing(Flow):
        def body(self):
            self.model = [1]
            self.annotate("model", accuracy=1)
            log_metadata({"loss": 0.5})
            raise ValueError("late")

    played = play(Failing, rate=2)

    assert played.of("start").status is Status.FAILED
    assert played.of("start").publishes == ()
    assert logged(played) == {"Failing/1/start/1": {"loss": 0.5}}


def test_what_catch_saved_is_no_product(play):
    class Caught(Flow):
        @catch(var="failed")
        @step
        def start(self):
            self.model = [1]
            self.body()
            self.next(self.end)

        def body(self):
            raise ValueError("late")

    played = play(Caught, rate=2)

    assert played.of("start").status is Status.SUCCEEDED
    assert played.of("start").publishes == ()


# --- save_artifact --------------------------------------------------------------------------------


def test_save_artifact_stores_the_value_as_it_is_then(play):
    class Saving(Flow):
        def body(self):
            value = [1]
            self.save_artifact("extra", value, version="v1", tags=["e"], metadata={"b": 2})
            value.append(2)

    played = play(Saving, rate=2)
    made = published(played)["extra"]

    assert played.store.load(made.ref) == [1]
    assert (made.version, made.attribute, made.tags) == ("v1", "", ("e",))
    assert made.metadata["b"] == 2
    assert made.code.startswith("3.")
    assert "extra" not in played.values("start")


def test_save_artifact_may_give_an_attribute_another_identity(play):
    class Renaming(Flow):
        def body(self):
            self.save_artifact("model", 1, name="model_uk", version=7, tags=["uk"])
            self.save_artifact("plain", 2, name="named_now")

    played = play(Renaming, rate=2)
    made = published(played)

    assert set(made) == {"model_uk", "named_now"}
    assert (made["model_uk"].version, made["model_uk"].tags) == ("7", ("t", "uk"))
    assert made["model_uk"].attribute == "model"
    assert made["model_uk"].artifact_type is ArtifactType.MODEL
    assert played.values("start")["model"] == 1


def test_a_value_that_cannot_be_stored_says_so_where_it_is_saved(play):
    class Unstorable(Flow):
        def body(self):
            self.save_artifact("extra", iter(self.body))  # type: ignore[call-overload]

    assert play(Unstorable, rate=2).of("start").status is Status.FAILED


# --- templates and foreach ------------------------------------------------------------------------


class Fan(FlowSpec):
    part: Annotated[Any, ArtifactConfig("part_{input}", version="{rate}.{index}.{run_id}")]
    each: Annotated[Any, ArtifactConfig("each", per_task=True)]
    dated: Annotated[Any, ArtifactConfig("dated", version="{date}")]
    rate = Parameter("rate", default=2)

    @step
    def start(self):
        self.items = ["x", "y"]
        self.dated = 0
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.part = self.each = self.index
        self.next(self.join)

    @step
    def join(self, inputs):
        self.next(self.end)

    @step
    def end(self):
        pass


def test_templates_are_filled_in_for_each_task(play):
    played = play(Fan, rate=2)
    made = [(one.name, one.version) for one in played.of("work", 0).publishes]
    other = [(one.name, one.version) for one in played.of("work", 1).publishes]
    (dated,) = played.of("start").publishes

    assert made == [("part_x", "2.0.1"), ("each", None)]
    assert other == [("part_y", "2.1.1"), ("each", None)]
    assert len(str(dated.version)) == len("2024_01_02")


def test_a_template_is_no_read_of_what_it_names(play):
    reads = play(Fan, rate=2).reads("work")

    assert "attr:rate" not in reads
    assert "input" not in reads


def test_a_value_that_no_version_can_be_fails_the_task(play):
    class Bad(Flow):
        def body(self):
            self.save_artifact("model", 1, name="x", version="{rate}")

    played = play(Bad, rate="a/b")

    assert played.of("start").status is Status.FAILED
    assert "artifact version 'a/b'" in played.of("start").error.message


def test_a_named_attribute_set_behind_the_sources_back_is_refused_under_a_foreach(play):
    class Hidden(Fan):
        model: Annotated[Any, ArtifactConfig("model")]

        @step
        def work(self):
            setattr(self, current.step_name.replace("work", "model"), 1)
            self.next(self.join)

    played = play(Hidden, rate=2)

    assert "assign it in the join, or set per_task=True" in played.error.message


# --- parallel branches ----------------------------------------------------------------------------


class Branches(FlowSpec):
    model: Annotated[Any, ArtifactConfig("model")]

    @step
    def start(self):
        self.next(self.a, self.b)

    @step
    def a(self):
        self.model = 1
        self.next(self.join)

    @step
    def b(self):
        self.model = 2
        self.next(self.join)

    @step
    def join(self, inputs):
        self.model = max(entry.model for entry in inputs)
        self.next(self.end)

    @step
    def end(self):
        pass


def test_of_parallel_branches_the_join_publishes(play):
    played = play(Branches)

    assert played.of("a").publishes == played.of("b").publishes == ()
    assert [one.name for one in played.of("join").publishes] == ["model"]


# --- metadata -------------------------------------------------------------------------------------


def test_metadata_may_be_logged_before_the_artifact_is_assigned(play):
    class Early(Flow):
        def body(self):
            log_artifact_metadata({"rows": 3}, artifact_name="trained")
            self.annotate("model", columns=2)
            self.annotate("plain", n=float("nan"))
            self.model = 1
            self.plain = 2

    played = play(Early, rate=2)
    metadata = published(played)["trained"].metadata

    assert (metadata["rows"], metadata["columns"]) == (3, 2)
    assert list(logged(played)) == ["Early/1/start/1/plain"]


def test_without_a_name_the_only_artifact_of_the_step_is_meant(play, capsys):
    class Only(Flow):
        def body(self):
            log_artifact_metadata({"rows": 3})
            self.model = 1

    assert published(play(Only, rate=2))["trained"].metadata["rows"] == 3
    assert capsys.readouterr().err == ""


def test_where_several_could_be_meant_the_task_gets_the_metadata(play, capsys):
    class Several(Flow):
        def body(self):
            self.model = self.plain = 1
            log_artifact_metadata({"rows": 3})

    played = play(Several, rate=2)

    assert logged(played) == {"Several/1/start/1": {"rows": 3}}
    assert "step 'start' made 'model', 'plain': metadata" in capsys.readouterr().err


def test_an_unknown_artifact_is_an_error_at_once(play):
    class Unknown(Flow):
        def body(self):
            self.model = 1
            self.annotate("modle", rows=3)
            self.plain = 2

    played = play(Unknown, rate=2)

    assert "has no artifact 'modle'" in played.error.message
    assert "plain" not in played.values("start")


def test_metadata_of_an_inherited_artifact_name_what_was_inherited(play):
    class Judging(Flow):
        def body(self):
            self.model = 1

        @step
        def end(self):
            self.annotate("model", accuracy=0.9)

    played = play(Judging, rate=2)
    (judged,) = played.of("end").annotations

    assert (judged.subject, judged.attribute) == ("Judging/1/end/2/model", "model")
    assert judged.digest == played.digest("start", "model")


def test_the_task_and_the_run_have_metadata_too(play):
    class Logging(Flow):
        def body(self):
            log_metadata({"loss": 0.1})
            log_metadata({"best": 0.2}, run="current")

    assert logged(play(Logging, rate=2)) == {
        "Logging/1/start/1": {"loss": 0.1},
        "Logging/1": {"best": 0.2},
    }


def test_odd_metadata_never_fail_a_step(play, capsys):
    class Odd(Flow):
        def body(self):
            self.model = 1
            self.annotate("model", what=object())

    played = play(Odd, rate=2)

    assert played.of("start").status is Status.SUCCEEDED
    assert "metadata of type object only the repr is kept" in capsys.readouterr().err


def test_the_context_of_a_step_is_current(play):
    class Context(Flow):
        def body(self):
            self.model = get_step_context().step_name

    assert play(Context, rate=2).values("start")["model"] == "start"
    with pytest.raises(RuntimeError):
        get_step_context()
    assert not current.is_running_flow
