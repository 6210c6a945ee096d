"""Each test runs in a context of its own: it knows no ContextVars of others, and leaves none."""

from collections.abc import Iterator
from contextvars import Context

import pytest

from flowkit.client.session import _sessions

pytest_plugins = (
    "tests.servers.postgres",
    "tests.servers.s3",
    "tests.servers.faultproxy",
    "tests.servers.storages",
)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Call the test function; the client's namespace and store, for two, are ContextVars."""
    names = pyfuncitem._fixtureinfo.argnames
    Context().run(pyfuncitem.obj, **{name: pyfuncitem.funcargs[name] for name in names})
    return True


@pytest.fixture(autouse=True)
def _sessions_end_with_the_test() -> Iterator[None]:
    """Close what the client opened in a test; a process keeps its connections, else, to its end."""
    before = set(_sessions.kept)
    yield
    for key in set(_sessions.kept) - before:
        _sessions.kept.pop(key).metadata.close()
