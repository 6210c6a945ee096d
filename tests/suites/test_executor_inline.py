"""The inline executor passes the suite of executors without processes."""

import pytest

from flowkit.executors.inline import InlineExecutor
from flowkit.executors.work import resolve
from flowkit.testing.executors import ExecutorSuite


class TestInlineExecutor(ExecutorSuite):
    @pytest.fixture
    def open_executor(self):
        return lambda reference: InlineExecutor(resolve(reference))
