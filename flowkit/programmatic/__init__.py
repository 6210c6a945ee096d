"""Running flows from Python: flow files in processes of their own, flow classes in this one."""

from flowkit.programmatic.executing import ExecutingRun, ExecutingTask
from flowkit.programmatic.inprocess import resume, run
from flowkit.programmatic.notebook import NBRunner
from flowkit.programmatic.runner import Runner

__all__ = ["ExecutingRun", "ExecutingTask", "NBRunner", "Runner", "resume", "run"]
