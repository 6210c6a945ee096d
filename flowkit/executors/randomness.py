"""Global random generators in forked tasks, as they would be in separate interpreters.

Unseeded generators differ between tasks; a seed set by the code that was imported holds in each
task. Nothing is patched for that; it is told afterwards whether there was a seed:

- ``random`` is seeded from the system when the fork server starts. If its state after the
  imports is one that this state leads to by drawing numbers, nobody has seeded it.
- ``numpy.random`` forgets its ``seed_seq`` when somebody seeds it.

Python reseeds ``random`` after each fork, so a seed that was set in the driver is carried over with
`hold_seed`. Not covered: generator objects that are made at module level without a seed
(``rng = default_rng()``); each task gets a copy of the same one.
"""

import os
import random
import sys
from typing import Any

_WORDS = 624  # of the Mersenne Twister's state; that many draws make the next state
_MAX_BLOCKS = 2000  # looked for a million draws, which takes some 10 ms
_PROBE = 64  # bits that tell two blocks apart

State = tuple[Any, ...]
"""As `random.getstate` returns it."""


class Generators:
    """The generators of a fork server: made before its imports, settled after them."""

    def __init__(self) -> None:
        self._before: State = random.getstate()
        self._seeded: State | None = None
        self._numpy: Any = None

    def settle(self) -> None:
        """Find out which generators the imports have seeded."""
        state = random.getstate()
        if not _leads_to(self._before, state):
            self._seeded = state
        numpy_random = sys.modules.get("numpy.random")
        if numpy_random is not None and _is_unseeded(numpy_random):
            self._numpy = numpy_random

    def refresh(self) -> None:
        """Set up the generators of a task's process, just after the fork."""
        if self._seeded is not None:
            random.setstate(self._seeded)  # Python has just reseeded it
        if self._numpy is not None:
            self._numpy.seed(memoryview(os.urandom(4 * _WORDS)).cast("I"))


def hold_seed(unseeded: State, state: State) -> None:
    """Take over a state of ``random`` from the driver, if somebody has seeded it.

    Args:
        unseeded: Of the driver before any user code ran.
        state: Of the driver when it started this process.
    """
    if not _leads_to(unseeded, state):
        random.setstate(state)


def _leads_to(before: State, after: State) -> bool:
    """Whether drawing numbers in state ``before`` leads to ``after``."""
    if before[1][:_WORDS] == after[1][:_WORDS]:
        return True
    wanted = random.Random()  # noqa: S311 - no secrets here
    wanted.setstate((after[0], (*after[1][:_WORDS], 0), None))
    first = wanted.getrandbits(_PROBE)
    walker = random.Random()  # noqa: S311
    walker.setstate((before[0], (*before[1][:_WORDS], _WORDS), None))
    mask = (1 << _PROBE) - 1
    return any(walker.getrandbits(32 * _WORDS) & mask == first for _ in range(_MAX_BLOCKS))


def _is_unseeded(numpy_random: Any) -> bool:
    generator = numpy_random.get_bit_generator()
    return type(generator).__name__ == "MT19937" and generator.seed_seq is not None
