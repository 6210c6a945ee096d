"""The local executor passes the suite of executors with processes."""

from contextlib import ExitStack, closing

import pytest

from flowkit.executors.local import LocalExecutor
from flowkit.executors.work import resolve
from flowkit.testing.executors import ProcessExecutorSuite


class TestLocalExecutor(ProcessExecutorSuite):
    @pytest.fixture
    def open_executor(self):
        with ExitStack() as stack:
            yield lambda reference: stack.enter_context(
                closing(LocalExecutor(lambda: resolve(reference), grace=0.3))
            )
