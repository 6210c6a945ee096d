"""Reading runs: flows, runs, steps, tasks, artifacts; needs no user code."""
