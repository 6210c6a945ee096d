"""Measures flowkit's workloads against floors taken in the same session; prints ratios.

    python benchmarks/run.py [--quick] [--json]

Figures of one session can be compared with each other; across machines only ratios mean anything.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import floors
import numpy as np
from tabulate import tabulate

from flowkit.config import Settings
from flowkit.wiring import open_store

FLOWS = Path(__file__).parent / "flows"
MIB = 1 << 20


@dataclass(frozen=True)
class Figure:
    """One measured workload: what it took, the budget in the same unit, and how they compare."""

    workload: str
    measured: float
    unit: str
    budget: float
    basis: str

    @property
    def ratio(self) -> float:
        return self.measured / self.budget if self.budget else 0.0


class Session:
    """A scratch store, and flows run against it as whole processes."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.environment = {**os.environ, "FLOWKIT_HOME": directory, "FLOWKIT_USER": "bench"}

    def run(self, flow: str, *arguments: str, check: bool = True) -> tuple[float, float]:
        """Run a flow file; return seconds and the driver's peak memory in MiB."""
        command = [sys.executable, str(FLOWS / f"{flow}.py"), "--quiet", *arguments]
        began = time.perf_counter()
        with subprocess.Popen(
            command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            seconds = time.perf_counter() - began
            if check and process.returncode:
                raise SystemExit(f"{' '.join(command)} failed:\n{process.stderr.read().decode()}")
        return seconds, usage.ru_maxrss / 1024

    def median(self, flow: str, *arguments: str, times: int = 3) -> float:
        return statistics.median(self.run(flow, *arguments)[0] for _ in range(times))


def startup() -> list[Figure]:
    extra = floors.import_flowkit() - floors.bare_python()
    return [Figure("import flowkit over bare Python", extra * 1e3, "ms", 60, "60 ms")]


def tasks(session: Session, width: int) -> list[Figure]:
    fork = floors.fork_exit_wait()
    hello = session.median("hello", "run", times=5)
    chain = session.median("chain", "run", times=5)
    per_step = (chain - hello) / 17
    options = ("--max-num-splits", "1000000", "--max-workers", "2")
    narrow = session.median("fan", "run", "--width", "10", *options)
    wide, memory = session.run("fan", "run", "--width", str(width), *options)
    per_task = (wide - narrow) / (width - 10)
    return [
        Figure("fork + exit + wait", fork * 1e3, "ms", 0, "the floor"),
        Figure("hello, 3 steps", hello, "s", 0.35, "0.35 s"),
        Figure("chain-20, per step", per_step * 1e3, "ms", (3 * fork) * 1e3 + 3, "3 forks + 3 ms"),
        Figure(f"foreach-{width}, per task", per_task * 1e3, "ms", 2.5 * fork * 1e3, "2.5 forks"),
        Figure(f"foreach-{width}, whole", wide, "s", 0, ""),
        Figure(f"foreach-{width}, driver memory", memory, "MiB", 80, "80 MB"),
    ]


def data(directory: str, size: int) -> list[Figure]:
    figures = []
    generator = np.random.default_rng(0)
    kinds = {"random": generator.random(size // 8), "arange": np.arange(size // 8)}
    for kind, values in kinds.items():
        floor = floors.hash_and_write(memoryview(values).cast("B"), f"{directory}/floor")
        home = f"{directory}/{kind}"
        store = open_store(Settings(home=home))
        began = time.perf_counter()
        ref = store.save({"x": values}).refs["x"]
        persist = time.perf_counter() - began
        label = f"{size // MIB} MiB {kind}"
        figures.append(
            Figure(f"persist {label}", persist, "s", 1.5 * floor, "1.5 (hash+write+fsync)")
        )
        times = []
        for _ in range(3):
            began = time.perf_counter()
            open_store(Settings(home=home)).load(ref)
            times.append(time.perf_counter() - began)
        if kind == "random":
            figures.append(Figure(f"load {label}, again", min(times) * 1e3, "ms", 50, "50 ms"))
        shutil.rmtree(home)
    return figures


def deduplication(directory: str) -> list[Figure]:
    home = f"{directory}/dedup"
    values = np.random.default_rng(1).random(8 * MIB)
    store = open_store(Settings(home=home))
    for number in range(20):
        store.save({"x": values, "n": number})
    stored = sum(path.stat().st_size for path in Path(home).rglob("*") if path.is_file())
    shutil.rmtree(home)
    return [
        Figure("20 runs storing the same 64 MiB", stored / MIB, "MiB", 1.05 * 64, "1.05 x 64 MiB")
    ]


def small_values(directory: str) -> list[Figure]:
    store = open_store(Settings(home=f"{directory}/small"))
    values = {f"value_{number}": {"number": number} for number in range(2000)}
    began = time.perf_counter()
    refs = store.save(values).refs
    loaded = {name: store.load(ref) for name, ref in refs.items()}
    seconds = time.perf_counter() - began
    if loaded != values:
        raise SystemExit("small values came back changed")
    return [Figure("small-2000, written and read", seconds, "s", 0.5, "0.5 s")]


CLIENT = "from flowkit import Flow; assert Flow('Hello').latest_run['end'].task.data.x == 2"


def reading(session: Session, runs: int) -> list[Figure]:
    for _ in range(runs):
        session.run("hello", "run")
    times = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", CLIENT], env=session.environment, check=True)
        times.append(time.perf_counter() - began)
    label = f"client: latest run, one artifact, {runs} runs"
    return [Figure(label, statistics.median(times), "s", 0.25, "0.25 s")]


def resuming(session: Session) -> list[Figure]:
    marker = f"{session.directory}/marker"
    options = ("--width", "100", "--fail-file", marker)
    session.run("fan", "run", *options, check=False)
    Path(marker).touch()
    seconds, _ = session.run("fan", "resume")
    return [Figure("resume the last step after foreach-100", seconds, "s", 0.6, "0.6 s")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the data and tasks")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    arguments = parser.parse_args()
    shrink = 10 if arguments.quick else 1
    with tempfile.TemporaryDirectory() as directory:
        session = Session(directory)
        figures = [
            *startup(),
            *tasks(session, 1000 // shrink),
            *data(directory, 256 * MIB // shrink // 8 * 8),
            *deduplication(directory),
            *small_values(directory),
            *resuming(session),
            *reading(session, 200 // shrink),
        ]
    if arguments.json:
        print(json.dumps([{**asdict(each), "ratio": each.ratio} for each in figures], indent=2))
        return
    rows = [
        (f.workload, f"{f.measured:.3g} {f.unit}", f.basis, f"{f.ratio:.2f}" if f.budget else "")
        for f in figures
    ]
    print(tabulate(rows, headers=("workload", "measured", "budget", "measured / budget")))
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\n2 workers; peak memory of this process {own:.0f} MiB")


if __name__ == "__main__":
    main()
