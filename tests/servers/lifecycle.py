"""How real servers are started for tests, and what happens where there is none."""

import os
from collections.abc import Callable
from typing import NoReturn, Protocol, TypeVar

import pytest


class Wipeable(Protocol):
    """A server that can be stopped and removed."""

    def wipe(self) -> None:
        """Stop the server and remove everything."""


S = TypeVar("S", bound=Wipeable)


def unavailable(reason: str) -> NoReturn:
    """Skip the test since its server is not installed; in CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


def started(server: S, start: Callable[[S], None]) -> S:
    """Start a server and return it; leave nothing behind when that fails."""
    try:
        start(server)
    except BaseException:
        server.wipe()
        raise
    return server
