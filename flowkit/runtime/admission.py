"""Which waiting tasks may start now: as many as there are workers, processors and memory for."""

import os
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from flowkit.model.tasks import Needs, TaskSpec

MEGABYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Machine:
    """What there is to share out among the tasks that say what they need.

    Attributes:
        cpu: Processors.
        memory: Megabytes.
        gpu: Accelerators; None when nobody counts them.
    """

    cpu: float
    memory: float
    gpu: float | None = None


def this_machine() -> Machine:
    """Return the processors that this process may use, and the machine's memory."""
    cpu = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / MEGABYTE
    return Machine(cpu, memory)


class Admission:
    """Lets tasks start in the order in which they wait; the first that doesn't fit holds the rest.

    A task that needs more than the whole machine has starts when no other task with needs runs.
    The members of a gang start together, also when they are more than there are workers; when they
    start again, then after the last of them has been stopped.

    Args:
        max_workers: How many tasks run at once.
        machine: What there is to share out.
        needs: What a task needs.
    """

    def __init__(
        self, max_workers: int, machine: Machine, needs: Callable[[TaskSpec], Needs]
    ) -> None:
        self._max_workers = max_workers
        self._machine = machine
        self._needs = needs
        self._running: dict[int, Needs] = {}

    def take(self, waiting: deque[TaskSpec]) -> list[TaskSpec]:
        """Remove from the front of the queue what may start now, and count it as running."""
        taken: list[TaskSpec] = []
        while waiting and self._fits(self._needs(waiting[0])):
            group = _group(waiting)
            if not self._has_room(group):
                break
            for _ in group:
                waiting.popleft()
            for spec in group:
                self._running[spec.task_id] = self._needs(spec)
            taken += group
        return taken

    def ended(self, spec: TaskSpec) -> None:
        """Give back what a task used."""
        self._running.pop(spec.task_id, None)

    def _has_room(self, group: list[TaskSpec]) -> bool:
        if any(
            spec.task_id in self._running for spec in group
        ):  # an earlier attempt, being stopped
            return False
        room = self._max_workers - len(self._running)
        return room >= len(group) or (len(group) > 1 and not self._running)

    def _fits(self, needs: Needs) -> bool:
        others = [used for used in self._running.values() if used.is_declared]
        if not needs.is_declared or not others:
            return True
        cpu = needs.cpu + sum(used.cpu for used in others)
        memory = (needs.memory or 0) + sum(used.memory or 0 for used in others)
        gpu = needs.gpu + sum(used.gpu for used in others)
        return (
            cpu <= self._machine.cpu
            and memory <= self._machine.memory
            and (self._machine.gpu is None or gpu <= self._machine.gpu)
        )


def _group(waiting: deque[TaskSpec]) -> list[TaskSpec]:
    """Return the tasks from the front that start together: a gang's members, else one."""
    gang = waiting[0].gang
    if gang is None:
        return [waiting[0]]
    group: list[TaskSpec] = []
    for spec in waiting:
        if spec.gang is None or spec.gang.control_task_id != gang.control_task_id:
            break
        group.append(spec)
    return group


def with_gang(needs: Needs, spec: TaskSpec) -> Needs:
    """Return a task's needs with the variables that tell a gang's member where it stands."""
    gang = spec.gang
    if gang is None:
        return needs
    variables = {
        "MF_PARALLEL_MAIN_IP": "127.0.0.1",
        "MF_PARALLEL_NUM_NODES": str(gang.size),
        "MF_PARALLEL_NODE_INDEX": str(gang.rank),
        "MF_PARALLEL_CONTROL_TASK_ID": str(gang.control_task_id),
    }
    return replace(needs, environment={**needs.environment, **variables})


@dataclass(frozen=True, slots=True)
class Policy:
    """What the user decided about how tasks are run; plain data.

    Attributes:
        max_workers: How many tasks run at once; 0 only takes over what can be reused.
        needs: What each step's attempts need; `Needs()` for those not named.
        machine: What tasks with declared needs share.
        retry_delay: Seconds to wait before an attempt, by step and number of the attempt.
    """

    max_workers: int = 16
    needs: Mapping[str, Needs] = field(default_factory=dict)
    machine: Machine = field(default_factory=this_machine)
    retry_delay: Callable[[str, int], float] = lambda _step, _attempt: 0.0

    def needs_of(self, spec: TaskSpec) -> Needs:
        """Return what one attempt needs; the handling of a failure is not bounded in time."""
        needs = self.needs.get(spec.step, Needs())
        if spec.fallback is not None:
            needs = replace(needs, timeout=None)
        return with_gang(needs, spec)
