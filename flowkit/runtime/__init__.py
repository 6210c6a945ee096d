"""How a run goes: scheduler, runner, and the worker that turns one spec into one result."""
