"""Claims on results: of several runs that want the same one, one computes it."""

from contextlib import ExitStack, closing
from threading import Barrier, Thread

import pytest

from flowkit.enums import Status
from flowkit.metastore import postgres, sqlite
from flowkit.model.records import AttemptOutcome, NewRun, NewTask


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def opened(request, tmp_path):
    """A function that opens a writer of one store, each with a connection of its own."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            yield lambda: stack.enter_context(closing(sqlite.open_writer(tmp_path / "flowkit.db")))
        else:
            url, locks = request.getfixturevalue("postgres_url"), str(tmp_path / "locks")
            yield lambda: stack.enter_context(closing(postgres.open_writer(url, locks)))


def new_run(writer):
    return writer.create_run(NewRun("Flow", "tester", "0" * 64))


def test_another_run_is_told_who_computes_it(opened):
    writer = opened()
    first, second = new_run(writer), new_run(writer)

    assert writer.traces.claim(first, {1: ["a", "b"], 2: ["c"]}) == {}
    assert writer.traces.claim(first, {3: ["a"]}) == {}
    assert writer.traces.claim(second, {1: ["x", "b"], 2: ["y"]}) == {1: "Flow/1"}
    # What was refused has claimed nothing, also none of its other keys.
    assert writer.traces.claim(first, {4: ["x"]}) == {}
    assert writer.traces.claim(first, {5: ["y"]}) == {5: "Flow/2"}


def test_a_claim_ends_with_the_attempt_and_with_the_run(opened):
    writer = opened()
    first, second = new_run(writer), new_run(writer)
    task = NewTask(1, "start", 0, (), 0, (), None)
    writer.record(first, [], [task])
    writer.traces.claim(first, {1: ["a"], 2: ["b"]})
    ended = AttemptOutcome(1, "start", 0, Status.FAILED, None, None, {}, (), 1, 2, 0, 0)

    writer.record(first, [ended], [])

    assert writer.traces.claim(second, {1: ["a"], 2: ["b"]}) == {2: "Flow/1"}

    writer.finish_run(first, Status.FAILED)

    assert writer.traces.claim(second, {2: ["b"]}) == {}


def test_the_claim_of_a_dead_driver_is_taken_over(opened):
    dying, writer = opened(), opened()
    dead = new_run(dying)
    dying.traces.claim(dead, {1: ["a"]})
    living = new_run(writer)
    assert writer.traces.claim(living, {1: ["a"]}) == {1: "Flow/1"}

    dying.close()

    assert writer.traces.claim(living, {1: ["a"]}) == {}


def test_the_claim_of_a_driver_that_was_replaced_counts_no_more(opened):
    dying, writer = opened(), opened()
    old = new_run(dying)
    dying.traces.claim(old, {1: ["a"]})
    other = new_run(writer)
    dying.close()

    writer.take_over("Flow", "1")

    assert writer.traces.claim(other, {1: ["a"]}) == {}


def test_of_many_at_once_just_one_gets_each_key(opened):
    writers = [opened() for _ in range(6)]
    leases = [new_run(writer) for writer in writers]
    keys = [f"key {number}" for number in range(20)]
    barrier, refused = Barrier(len(writers)), {}

    def claim(number):
        # Each in another order: they must not wait for each other in a circle.
        wanted = {at: [key] for at, key in enumerate(keys[number:] + keys[:number])}
        barrier.wait()
        held = writers[number].traces.claim(leases[number], wanted)
        refused[number] = {wanted[at][0] for at in held}

    threads = [Thread(target=claim, args=(number,)) for number in range(len(writers))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    got = [key for number in refused for key in keys if key not in refused[number]]
    assert sorted(got) == sorted(keys)
