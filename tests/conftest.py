"""Each test runs in a context of its own: what it sets in ContextVars ends with it."""

from contextvars import copy_context

import pytest

pytest_plugins = ("tests.servers.postgres", "tests.servers.s3", "tests.servers.faultproxy")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool:
    """Call the test function; the client's namespace and store, for two, are ContextVars."""
    names = pyfuncitem._fixtureinfo.argnames
    copy_context().run(pyfuncitem.obj, **{name: pyfuncitem.funcargs[name] for name in names})
    return True
