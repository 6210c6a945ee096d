"""``profile``: how long a block of code took."""

import sys
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager


@contextmanager
def profile(label: str, stats_dict: MutableMapping[str, int] | None = None) -> Iterator[None]:
    """Measure the wall time of a ``with`` block.

    Args:
        label: What the block is called.
        stats_dict: Adds the milliseconds to ``stats_dict[label]`` instead of writing to stdout.

    Example::

        times = {}
        for chunk in chunks:
            with profile("parse", times):
                parse(chunk)
    """
    if stats_dict is None:
        sys.stdout.write(f"PROFILE: {label} starting\n")
    began = time.perf_counter()
    try:
        yield
    finally:
        took = int((time.perf_counter() - began) * 1000)
        if stats_dict is None:
            sys.stdout.write(f"PROFILE: {label} completed in {took}ms\n")
        else:
            stats_dict[label] = stats_dict.get(label, 0) + took
