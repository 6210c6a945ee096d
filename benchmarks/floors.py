"""What the work costs at least on this machine, measured in the same session."""

import hashlib
import os
import statistics
import subprocess
import sys
import time

FORK = """
import gc, os, sys, time
import flowkit.cli.flowfile, flowkit.cli.console, flowkit.runtime.worker, flowkit.stores.local
import flowkit.materializers.pickled, flowkit.executors.zygote
gc.freeze()
times = []
for _ in range(300):
    began = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    times.append(time.perf_counter() - began)
print(sorted(times)[len(times) // 2])
"""


def fork_exit_wait() -> float:
    """Seconds to fork, exit and wait, from a process that has flowkit's imports done."""
    runs = [float(subprocess.check_output([sys.executable, "-c", FORK])) for _ in range(3)]
    return statistics.median(runs)


def bare_python() -> float:
    """Seconds of an interpreter that does nothing."""
    return _median_run("pass")


def import_flowkit() -> float:
    """Seconds of an interpreter that imports flowkit and does nothing else."""
    return _median_run("import flowkit")


def _median_run(code: str) -> float:
    times = []
    for _ in range(9):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        times.append(time.perf_counter() - began)
    return statistics.median(times)


def hash_and_write(data: memoryview, path: str) -> float:
    """Seconds to hash some bytes, write them to a file and fsync it, one after the other."""
    times = []
    for _ in range(3):
        began = time.perf_counter()
        hashlib.sha256(data).digest()
        with open(path, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        times.append(time.perf_counter() - began)
        os.unlink(path)
    return statistics.median(times)
