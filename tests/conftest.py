"""Each test runs in a context of its own: it knows no ContextVars of others, and leaves none."""

from collections.abc import Iterator
from contextvars import copy_context

import pytest
from _pytest.runner import runtestprotocol

from flowkit.client.session import _sessions

pytest_plugins = (
    "tests.servers.postgres",
    "tests.servers.s3",
    "tests.servers.faultproxy",
    "tests.servers.storages",
)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test with its fixtures; the client's namespace and store, for two, are ContextVars."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    copy_context().run(runtestprotocol, item, nextitem=nextitem)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.fixture(autouse=True)
def _sessions_end_with_the_test() -> Iterator[None]:
    """Close what the client opened in a test; a process keeps its connections, else, to its end."""
    before = set(_sessions.kept)
    yield
    for key in set(_sessions.kept) - before:
        _sessions.kept.pop(key).metadata.close()
