"""The way into the store: all flows of the namespace."""

from collections.abc import Iterator

from flowkit.client.clientobject import Found, Scope
from flowkit.client.namespaces import get_namespace
from flowkit.client.objects import Flow
from flowkit.client.session import current_session, session_at
from flowkit.exceptions import InvalidPathspecError, NamespaceMismatchError, NotFoundError


class Flows:
    """All flows that have a run in the current namespace.

    Args:
        _current_metadata: Where to read, as `metadata` takes it; the current one by default.

    Example::

        for flow in Flows():
            print(flow.id, flow.latest_run)
    """

    def __init__(self, _current_metadata: str | None = None) -> None:
        opened = current_session() if _current_metadata is None else session_at(_current_metadata)
        self._location = opened.location

    @property
    def flows(self) -> list[Flow]:
        """The flows, the one with the newest run first."""
        return list(self)

    def __iter__(self) -> Iterator[Flow]:
        for record in session_at(self._location).metadata.flows():
            if record.name in self:
                yield self[record.name]

    def __getitem__(self, name: str) -> Flow:
        try:
            return Flow(name, _found=Found(Scope(self._location, get_namespace())))
        except NamespaceMismatchError:
            raise
        except (NotFoundError, InvalidPathspecError):
            raise KeyError(name) from None

    def __contains__(self, name: object) -> bool:
        try:
            Flow(str(name), _found=Found(Scope(self._location, get_namespace())))
        except (NotFoundError, InvalidPathspecError):
            return False
        return True

    def __str__(self) -> str:
        return "Flows()"

    __repr__ = __str__
