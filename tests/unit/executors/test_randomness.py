"""Whether a generator was seeded is seen from its state alone."""

import random

import pytest

from flowkit.executors.randomness import Generators, hold_seed


@pytest.fixture(autouse=True)
def _own_state():
    state = random.getstate()
    yield
    random.setstate(state)


def draws_of_tasks() -> list[float]:
    """Return what two tasks would draw: each fork reseeds, then the generators are refreshed."""
    drawn = []
    for _ in range(2):
        random.seed()
        GENERATORS[0].refresh()
        drawn.append(random.random())
    return drawn


GENERATORS: list[Generators] = []


def settle_after(change) -> None:
    generators = Generators()
    change()
    generators.settle()
    GENERATORS[:] = [generators]


@pytest.mark.parametrize("draws", [0, 1, 311, 312, 313, 1000, 200_000])
def test_drawing_numbers_is_no_seed(draws):
    random.seed()
    settle_after(lambda: [random.random() for _ in range(draws)])

    first, second = draws_of_tasks()
    assert first != second


@pytest.mark.parametrize("seed", [0, 42, "text", b"bytes", 1.5])
@pytest.mark.parametrize("draws", [0, 1, 1000])
def test_a_seed_holds_in_each_task(seed, draws):
    def change():
        random.seed(seed)
        for _ in range(draws):
            random.random()

    settle_after(change)
    state = random.getstate()
    change()
    expected = random.random()

    assert draws_of_tasks() == [expected, expected]
    assert state != random.getstate()


def test_a_state_that_was_set_holds_in_each_task():
    settle_after(lambda: random.setstate(random.Random(7).getstate()))

    expected = random.Random(7).random()
    assert draws_of_tasks() == [expected, expected]


def test_a_seed_of_the_driver_is_taken_over():
    unseeded = random.getstate()
    random.seed(42)
    seeded = random.getstate()
    random.seed()
    hold_seed(unseeded, seeded)

    assert random.random() == random.Random(42).random()


def test_a_driver_that_only_drew_numbers_hands_nothing_on():
    unseeded = random.getstate()
    random.random()
    drawn = random.getstate()
    random.seed()
    fresh = random.getstate()
    hold_seed(unseeded, drawn)

    assert random.getstate() == fresh
