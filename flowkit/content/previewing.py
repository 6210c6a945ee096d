"""Makes previews of values while they are saved: bounded in time and size, and never an error."""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from time import perf_counter
from typing import Any, TypeVar

from flowkit.content.hashing import digest_of
from flowkit.content.preview import PreviewRecord, StoredVisualization
from flowkit.exceptions import Interrupted, TimeoutException
from flowkit.model.plainvalues import plain_values
from flowkit.ports.materializer import Describer, Visualization

SECONDS = 0.2
"""So long a preview may take; what a describer yields later is left out."""
INLINE_TEXT = 64 * 1024
"""Bytes of text inside a preview; what does not fit becomes a blob of its own."""
LARGEST = 1024 * 1024
"""Bytes of one visualization; a larger one is left out."""
MOST = 32
"""Visualizations of one preview; what a describer yields after them is left out."""
LARGEST_PREVIEW = 8 * LARGEST
"""Bytes that one preview has beside its record; a visualization that goes beyond is left out."""
LONGEST_TITLE = 200
"""Characters of a visualization's title, and of its kind; the rest is cut off."""

_T = TypeVar("_T")
_NOT_ABOUT_THE_VALUE = (TimeoutException, Interrupted)


@dataclass(frozen=True, slots=True)
class Draft:
    """A preview that is still to be written: its record, and the visualizations beside it."""

    record: bytes
    blobs: Sequence[bytes] = ()


def draft(describer: Describer, value: Any, *, is_shown: bool = True) -> Draft | None:
    """Describe a value, and show it if asked to.

    Args:
        describer: Knows values of this type.
        value: The value, saved already: its describer may touch but not change it.
        is_shown: False leaves out what shows the value.

    Returns:
        What is to be written; None when the describer failed.
    """
    return quietly(partial(_draft, describer, value, is_shown=is_shown))


def quietly(make: Callable[[], _T]) -> _T | None:
    """Return what was made; None if that failed.

    A value's library, or a materializer of users, may raise anything and must not fail an attempt
    whose values are stored; nor may its warnings reach the user's log.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return make()
    except _NOT_ABOUT_THE_VALUE:
        raise
    except Exception:  # noqa: BLE001 - as said above
        return None


def _draft(describer: Describer, value: Any, *, is_shown: bool) -> Draft:
    began = perf_counter()
    summary, _ = plain_values(describer.describe(value))
    stored: list[StoredVisualization] = []
    blobs: list[bytes] = []
    left = INLINE_TEXT - len(PreviewRecord(describer.artifact_type, summary).to_bytes())
    total = LARGEST_PREVIEW
    if left < 0:
        summary, left = {}, INLINE_TEXT
    for shown in islice(describer.visualize(value), MOST) if is_shown else ():
        data = _bytes_of(shown)
        kind, title = shown.kind[:LONGEST_TITLE], shown.title[:LONGEST_TITLE]
        if len(data) <= left and isinstance(shown.data, str):
            stored.append(StoredVisualization(kind, title, shown.data))
            left -= len(data)
        elif len(data) <= min(LARGEST, total):
            blobs.append(data)
            stored.append(StoredVisualization(kind, title, digest=digest_of(data)))
            total -= len(data)
        if perf_counter() - began > SECONDS:
            break
    record = PreviewRecord(describer.artifact_type, summary, tuple(stored))
    return Draft(record.to_bytes(), blobs)


def _bytes_of(shown: Visualization) -> bytes:
    data = shown.data
    return data.encode("utf-8", "replace") if isinstance(data, str) else bytes(memoryview(data))
