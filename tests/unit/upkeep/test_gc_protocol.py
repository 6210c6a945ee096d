"""Every interleaving of collectors and drivers over one blob, and mutants that must lose it.

The model has the steps of the code, each atomic as its transaction or file operation is. A driver
begins an attempt, whose task finds the blob in the store or writes it; then it looks at the
result as `Presence` does, and commits. An upload has no run that a collector could wait for: it
looks at the counter, stores the blob, and looks again where it commits. A collector announces,
waits for drivers, buries, deletes, digs up, and finishes. Collectors die anywhere; drivers that
hang are left out and fenced.
"""

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from flowkit.model.garbage import announcement, is_calm, was_left_out

OVER = ("done", "fenced", "given up")


class Driver(NamedTuple):
    at: str = "begin"
    seen: int = 0  # the counter, as last acknowledged
    began: int = 0
    pinned: bool = False
    committed: bool = False
    can_hang: bool = False
    is_upload: bool = False
    is_dead: bool = False  # as others see it; it may go on all the same
    tries: int = 0


class Collector(NamedTuple):
    at: str = "begin"


class State(NamedTuple):
    blob: bool
    tomb: bool
    sweeps: int
    holder: int | None  # which collector has the right
    drivers: tuple[Driver, ...]
    collectors: tuple[Collector, ...]


def replaced(items, index, item):
    return (*items[:index], item, *items[index + 1 :])


def driver_steps(s: State, i: int, mutant: str) -> Iterator[State]:  # noqa: C901, PLR0912 - a model
    d = s.drivers[i]

    def to(at: str, **changes) -> State:
        shared = {name: changes.pop(name) for name in ("blob", "tomb") if name in changes}
        drivers = replaced(s.drivers, i, d._replace(at=at, **changes))
        return s._replace(drivers=drivers, **shared)

    is_fenced = was_left_out(d.seen, s.sweeps) and mutant != "no fence"
    if d.can_hang and not d.is_dead and d.at not in OVER:
        yield to(d.at, is_dead=True)
    if d.at == "begin":  # record() of the start
        if is_fenced:
            yield to("fenced")
        else:
            yield to("put", began=s.sweeps, seen=s.sweeps)
    elif d.at == "put":
        yield to("ended") if s.blob else to("write")
    elif d.at == "write":
        yield to("ended", blob=True)
    elif d.at == "ended":
        # Other attempts of the run end meanwhile, or a heartbeat is due: any write acknowledges.
        if not is_fenced and d.seen != s.sweeps:
            yield to("ended", seen=s.sweeps)
        yield from judged(s, d, to, mutant)
    elif d.at == "pin":
        yield to("wait", pinned=mutant != "no pin")
    elif d.at == "wait":
        if not s.tomb or mutant == "no wait":
            yield to("look")
        elif s.holder is None:
            yield to("wait", blob=False, tomb=False)  # adopts what a dead collector has left
    elif d.at == "look":
        if s.blob or mutant == "no look":
            yield to("commit")
        elif d.tries < 2:
            yield to("begin", tries=d.tries + 1)
        else:
            yield to("given up")
    elif d.at == "commit":  # record() of the end
        if is_fenced:
            yield to("fenced")
        else:
            yield to("done", committed=True, seen=s.sweeps)


def upload_steps(s: State, i: int, mutant: str) -> Iterator[State]:
    """The steps of `keep_version`."""
    d = s.drivers[i]

    def to(at: str, **changes) -> State:
        shared = {name: changes.pop(name) for name in ("blob", "tomb") if name in changes}
        drivers = replaced(s.drivers, i, d._replace(at=at, **changes))
        return s._replace(drivers=drivers, **shared)

    if d.at == "begin":
        yield to("put", began=s.sweeps)
    elif d.at == "put":
        yield to("publish") if s.blob else to("write")
    elif d.at == "write":
        yield to("publish", blob=True)
    elif d.at == "publish":  # publish(): in one transaction with what it asks for
        is_there = s.blob and (not s.tomb or mutant == "upload over tombstone")
        if is_calm(d.began, s.sweeps) or is_there or mutant == "upload unseen":
            yield to("done", committed=True)
        else:
            yield to("wait")
    elif d.at == "wait":
        if not s.tomb:
            yield to("begin")
        elif s.holder is None:
            yield to("wait", blob=False, tomb=False)


def judged(s: State, d: Driver, to, mutant: str) -> Iterator[State]:
    if is_calm(d.began, d.seen) and mutant != "always careful":
        yield to("commit")
    elif is_calm(d.seen, d.seen):
        yield to("look")
    else:
        yield to("pin")


def collector_steps(s: State, i: int, mutant: str) -> Iterator[State]:  # noqa: C901, PLR0912
    c = s.collectors[i]

    def to(at: str, **changes) -> State:
        return s._replace(collectors=replaced(s.collectors, i, Collector(at)), **changes)

    if c.at not in ("begin", "end") and s.holder == i:
        yield to("end", holder=None)  # killed
    is_needed = any(d.committed or (d.pinned and d.at not in OVER) for d in s.drivers)
    if c.at == "begin":
        if s.holder is None:
            yield to("abandoned", holder=i)
    elif c.at == "abandoned":
        yield to("announce", blob=s.blob and not s.tomb, tomb=False)
    elif c.at == "announce":
        yield to("acknowledged", sweeps=announcement(s.sweeps))
    elif c.at == "acknowledged":
        busy = [d for d in s.drivers if not (d.is_dead or d.is_upload or d.at in OVER)]
        if mutant == "no acknowledgement" or all(d.seen >= s.sweeps for d in busy):
            yield to("bury", sweeps=s.sweeps + 1)
    elif c.at == "bury":
        if is_needed and mutant != "no second look":
            yield to("finish")
        elif mutant == "tombstone late":
            yield to("late", blob=False)
        else:
            yield to("dig up" if mutant == "clear first" else "delete", tomb=True)
    elif c.at == "late":
        yield to("dig up", tomb=True)
    elif c.at == "delete":
        yield to("finish" if mutant == "clear first" else "dig up", blob=False)
    elif c.at == "dig up":
        yield to("delete" if mutant == "clear first" else "finish", tomb=False)
    elif c.at == "finish":
        yield to("end", sweeps=s.sweeps + 1, holder=None)


def steps(s: State, mutant: str) -> Iterator[State]:
    for i, driver in enumerate(s.drivers):
        yield from (upload_steps if driver.is_upload else driver_steps)(s, i, mutant)
    for i in range(len(s.collectors)):
        yield from collector_steps(s, i, mutant)


class Found(NamedTuple):
    """In how many states a blob is gone that is needed, all stops, or a driver lost its run."""

    states: int
    lost: int
    stuck: int
    wronged: int


def explore(
    drivers: int, collectors: int, mutant: str = "", *, hang: bool = False, uploads: int = 0
) -> Found:
    """Look at every state that can be reached.

    A blob is needed when a driver has committed a reference to it. A driver is wronged when it is
    fenced and was never taken for dead, or gives up.
    """
    start = [
        State(
            blob,
            tomb=False,
            sweeps=0,
            holder=None,
            drivers=(
                *(Driver(can_hang=hang and i == 0) for i in range(drivers)),
                *(Driver(is_upload=True),) * uploads,
            ),
            collectors=(Collector(),) * collectors,
        )
        for blob in (True, False)
    ]
    pending, seen = deque(start), set(start)
    lost = stuck = wronged = 0
    while pending:
        s = pending.popleft()
        lost += any(d.committed for d in s.drivers) and not s.blob
        wronged += any(d.at in ("fenced", "given up") and not d.is_dead for d in s.drivers)
        after = set(steps(s, mutant))
        stuck += not after and not all(d.at in OVER for d in s.drivers)
        pending.extend(after - seen)
        seen |= after
    return Found(len(seen), lost, stuck, wronged)


@pytest.mark.parametrize("hang", [False, True], ids=["alive", "hanging"])
@pytest.mark.parametrize(("drivers", "collectors"), [(1, 1), (1, 2), (2, 1)])
def test_no_interleaving_deletes_a_blob_that_is_committed(drivers, collectors, hang):
    found = explore(drivers, collectors, hang=hang)

    assert found.states > 50
    assert (found.lost, found.stuck, found.wronged) == (0, 0, 0)


@pytest.mark.parametrize(
    "mutant", ["no pin", "no wait", "no look", "no second look", "clear first", "tombstone late"]
)
def test_each_rule_of_the_protocol_is_needed(mutant):
    assert explore(1, 2, mutant).lost > 0


@pytest.mark.parametrize(("uploads", "drivers", "collectors"), [(1, 0, 2), (2, 0, 2), (1, 1, 1)])
def test_no_interleaving_deletes_a_blob_that_was_uploaded(uploads, drivers, collectors):
    found = explore(drivers, collectors, uploads=uploads)

    assert found.states > 50
    assert (found.lost, found.stuck, found.wronged) == (0, 0, 0)


@pytest.mark.parametrize(
    "mutant", ["upload unseen", "upload over tombstone", "no second look", "clear first"]
)
def test_each_rule_for_uploads_is_needed(mutant):
    assert explore(0, 2, mutant, uploads=1).lost > 0


def test_a_driver_that_is_not_waited_for_has_to_be_fenced():
    assert explore(1, 1, "no fence", hang=True).lost > 0


def test_drivers_have_to_be_waited_for_or_they_are_fenced_for_nothing():
    assert explore(1, 1, "no acknowledgement").wronged > 0
