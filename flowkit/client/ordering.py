"""The order of listed versions: "desc:created", "asc:version", ..."""

from collections.abc import Callable, Mapping
from typing import Any

from flowkit.client.artifactversions import ArtifactVersion
from flowkit.client.results import Results
from flowkit.exceptions import UsageError

_ORDERS: Mapping[str, Callable[[ArtifactVersion], Any]] = {
    "created": lambda one: one.created,
    "name": lambda one: one.name,
    "size": lambda one: one.size,
    "version": lambda one: (one.number is None, one.number or 0, one.version),
}


def ordered(found: Results[ArtifactVersion], sort_by: str) -> Results[ArtifactVersion]:
    """Return versions in another order, which takes loading them all.

    Raises:
        UsageError: There is no such order.
    """
    direction, _, field = sort_by.rpartition(":")
    order = _ORDERS.get(field)
    if order is None or direction not in ("", "asc", "desc"):
        raise UsageError(
            f"sort_by {sort_by!r}: use one of {', '.join(_ORDERS)}, after 'asc:' or 'desc:'"
        )
    return Results(lambda: iter(sorted(found, key=order, reverse=direction == "desc")), found.row)
