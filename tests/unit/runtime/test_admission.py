from collections import deque

from flowkit.model.tasks import Gang, Needs, TaskKey, TaskSpec
from flowkit.runtime.admission import Admission, Machine, with_gang

MACHINE = Machine(cpu=4, memory=1000)


def spec(task_id, gang=None):
    return TaskSpec("F", "1", task_id, TaskKey("s"), False, (), "", gang=gang)


def ids(specs):
    return [each.task_id for each in specs]


def needing(**needs):
    return lambda _: Needs(is_declared=True, **needs)


def test_as_many_tasks_start_as_there_are_workers():
    admission = Admission(2, MACHINE, lambda _: Needs())
    waiting = deque(spec(n) for n in range(3))

    assert ids(admission.take(waiting)) == [0, 1]
    assert ids(admission.take(waiting)) == []
    admission.ended(spec(0))
    assert ids(admission.take(waiting)) == [2]


def test_tasks_with_declared_processors_share_the_machine():
    admission = Admission(16, MACHINE, needing(cpu=2))
    waiting = deque(spec(n) for n in range(3))

    assert ids(admission.take(waiting)) == [0, 1]


def test_tasks_with_declared_memory_share_the_machine():
    admission = Admission(16, MACHINE, needing(cpu=0.1, memory=400))
    waiting = deque(spec(n) for n in range(3))

    assert ids(admission.take(waiting)) == [0, 1]


def test_tasks_that_declare_nothing_are_only_bound_by_workers():
    admission = Admission(16, MACHINE, lambda _: Needs(cpu=1))
    waiting = deque(spec(n) for n in range(10))

    assert len(admission.take(waiting)) == 10


def test_a_task_that_needs_more_than_the_machine_runs_alone():
    admission = Admission(16, MACHINE, needing(cpu=64))
    waiting = deque([spec(1), spec(2)])

    assert ids(admission.take(waiting)) == [1]
    assert ids(admission.take(waiting)) == []
    admission.ended(spec(1))
    assert ids(admission.take(waiting)) == [2]


def test_the_members_of_a_gang_start_together():
    members = [spec(n, Gang(n - 2, 3, 2)) for n in (2, 3, 4)]
    admission = Admission(3, MACHINE, lambda _: Needs())
    waiting = deque([spec(1), *members])

    assert ids(admission.take(waiting)) == [1]
    admission.ended(spec(1))
    assert ids(admission.take(waiting)) == [2, 3, 4]


def test_a_gang_larger_than_the_workers_starts_when_nothing_else_runs():
    waiting = deque(spec(n, Gang(n - 1, 5, 1)) for n in range(1, 6))
    admission = Admission(2, MACHINE, lambda _: Needs())

    assert ids(admission.take(waiting)) == [1, 2, 3, 4, 5]


def test_two_gangs_do_not_mix():
    first = [spec(n, Gang(n - 1, 2, 1)) for n in (1, 2)]
    second = [spec(n, Gang(n - 3, 2, 3)) for n in (3, 4)]
    waiting = deque(first + second)
    admission = Admission(3, MACHINE, lambda _: Needs())

    assert ids(admission.take(waiting)) == [1, 2]


def test_a_gang_starts_again_when_all_its_members_have_stopped():
    members = [spec(n, Gang(n - 1, 2, 1)) for n in (1, 2)]
    admission = Admission(3, MACHINE, lambda _: Needs())
    admission.take(deque(members))
    admission.ended(members[0])

    waiting = deque(members)
    assert ids(admission.take(waiting)) == []
    admission.ended(members[1])
    assert ids(admission.take(waiting)) == [1, 2]


def test_a_failure_of_one_member_is_handled_beside_the_others():
    waiting = deque([spec(3, Gang(1, 3, 2))])
    admission = Admission(3, MACHINE, lambda _: Needs())
    admission.take(deque([spec(2), spec(4)]))

    assert ids(admission.take(waiting)) == [3]


def test_members_of_a_gang_are_told_where_they_stand():
    needs = with_gang(Needs(environment={"A": "1"}), spec(3, Gang(1, 2, 2)))

    assert needs.environment["A"] == "1"
    assert needs.environment["MF_PARALLEL_NODE_INDEX"] == "1"
    assert needs.environment["MF_PARALLEL_NUM_NODES"] == "2"
