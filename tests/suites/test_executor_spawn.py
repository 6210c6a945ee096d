"""The spawn executor passes the suite of executors with processes."""

from contextlib import ExitStack, closing

import pytest

from flowkit.executors.spawn import SpawnExecutor
from flowkit.testing.executors import ProcessExecutorSuite


class TestSpawnExecutor(ProcessExecutorSuite):
    many = 100

    @pytest.fixture
    def open_executor(self):
        with ExitStack() as stack:
            yield lambda reference: stack.enter_context(
                closing(SpawnExecutor("flowkit.executors.work:resolve", (reference,), grace=0.3))
            )
