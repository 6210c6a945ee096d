"""The examples run through the real command line and leave what they promise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from flowkit import Client, Flow, metadata, namespace

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def run_example(tmp_path, monkeypatch):
    """A function that runs an example in a store of its own and returns the run and its output."""
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path))
    monkeypatch.setenv("FLOWKIT_USER", "tester")
    monkeypatch.chdir(tmp_path)

    def run(file: str, flow: str, *arguments: str):
        outcome = subprocess.run(
            [sys.executable, str(EXAMPLES / file), "run", *arguments],
            env=os.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        assert outcome.returncode == 0, outcome.stdout + outcome.stderr
        metadata(str(tmp_path))
        namespace("user:tester")
        return Flow(flow).latest_successful_run, outcome.stdout

    return run


def test_hello_greets_whom_it_is_told_to(run_example):
    run, printed = run_example("hello.py", "Hello", "--name", "Ada")

    assert run.data.greeting == "Hello, Ada!"
    assert run.data.person == "Ada"
    assert "Hello, Ada!" in printed
    assert printed.rstrip().endswith("Done!")


def test_digits_picks_the_best_of_four_candidates(run_example):
    run, printed = run_example("digits.py", "Digits")

    data = run.data
    fitted = {task.data.label: task.data.accuracy for task in run["fit"]}
    assert len(fitted) == 4
    assert data.leaderboard == sorted(fitted.items(), key=lambda row: row[1], reverse=True)
    assert data.label == data.leaderboard[0][0]
    assert data.test_accuracy > 0.95
    assert data.confusion.shape == (10, 10)
    assert data.confusion.trace() / data.confusion.sum() == pytest.approx(data.test_accuracy)
    assert data.model.predict(data.test[0][:1]).shape == (1,)
    assert f"The winner, {data.label}," in printed


def test_digits_gives_the_same_model_for_the_same_seed(run_example):
    first, _ = run_example("digits.py", "Digits", "--seed", "3", "--test_size", "0.3")
    second, _ = run_example("digits.py", "Digits", "--seed", "3", "--test_size", "0.3")

    assert first.pathspec != second.pathspec
    assert first.data.leaderboard == second.data.leaderboard
    assert first.end_task["confusion"].sha == second.end_task["confusion"].sha


def test_penguins_describes_each_species_and_what_sets_them_apart(run_example):
    run, printed = run_example("penguins.py", "Penguins")

    data = run.data
    means = data.statistics.xs("mean", level=1).round(1)
    assert {task.data.name_of_species for task in run["describe"]} == set(means.index)
    assert list(means.index) == ["Adelie", "Chinstrap", "Gentoo"]
    assert list(means["flipper_length_mm"]) == [190.0, 195.8, 217.2]
    assert data.missing["sex"] == 11
    assert data.explained.idxmax() == "flipper_length_mm"
    assert data.explained["flipper_length_mm"] == pytest.approx(0.778, abs=0.001)
    assert "77.8% of the variance" in printed


def test_penguins_takes_one_year_only(run_example):
    run, printed = run_example("penguins.py", "Penguins", "--year", "2008")

    assert run.data.year == 2008
    assert "114 penguins of 3 species" in printed


def test_register_promotes_a_model_that_use_registered_predicts_with(run_example):
    trained, printed = run_example("register.py", "Register")
    used, told = run_example("use_registered.py", "UseRegistered")
    client = Client()
    model = client.get_artifact_version("iris_model:production")

    assert "iris_model@1 is in production" in printed
    assert model.run.pathspec == trained.pathspec
    assert model.run_metadata["accuracy"] == trained.data.accuracy > 0.9
    assert [task.pathspec for task in model.consumers()] == [used["start"].task.pathspec]
    assert len(client.load_artifact("iris_predictions")) == 15
    assert "model -> iris_model@1" in told
    made_of = [
        node.label for node in client.lineage("iris_predictions", direction="up").artifacts()
    ]
    assert {"iris_model@1", "iris_samples@1"} < set(made_of)


def test_register_promotes_no_model_that_is_worse(run_example):
    run_example("register.py", "Register")
    _, printed = run_example("register.py", "Register", "--strength", "0.0001")
    used, _ = run_example("use_registered.py", "UseRegistered")

    assert "iris_model@1 stays in production" in printed
    assert Client().get_artifact("iris_model").latest_version == "2"
    assert used.data.share > 0.9
