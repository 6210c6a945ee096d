"""Looking ahead of a run with caching: what it would do, and whether its results can be trusted."""

from flowkit.rehearsal.plan import Plan, PlannedStep, plan_run
from flowkit.rehearsal.repeat import Repeated, repeat_sample

__all__ = ["Plan", "PlannedStep", "Repeated", "plan_run", "repeat_sample"]
