"""What can be wrong with an installation and its store, in plain sentences; changes nothing."""

import os
import stat
import sys
import time
from collections.abc import Iterator, Sequence
from importlib import metadata

from flowkit.access import is_shared
from flowkit.exceptions import FlowkitError
from flowkit.model.findings import Finding
from flowkit.upkeep.health import failure

OPTIONAL = (
    "numpy",
    "pandas",
    "polars",
    "pyarrow",
    "scikit-learn",
    "torch",
    "lz4",
    "cloudpickle",
    "boto3",
    "psycopg",
    "ray",
)
"""Packages that make a difference when they are there."""
_LITTLE_SPACE = 1 << 30
_EARLIEST = 1_704_067_200  # 2024: before that nobody has run this code
_STEP = 60.0  # seconds that the wall clock may differ from what the files of the store say
_ANSWER = 42


def check_paths(home: str) -> Iterator[Finding]:
    """Yield what is to be said about the directory of the store."""
    if not os.path.isdir(home):
        yield Finding("store", f"there is no store at {home} yet: the first run makes it")
        return
    yield Finding("store", f"it is at {home}")
    if os.access(home, os.W_OK | os.X_OK):
        yield Finding("access", "this user can write to it")
    else:
        yield Finding("access", f"this user can't write to {home}", "warning")
    yield _modes(home)
    space = os.statvfs(home)
    free = space.f_bavail * space.f_frsize
    state, advice = ("warning", ": free some") if free < _LITTLE_SPACE else ("ok", "")
    message = f"{free / 1e9:.1f} GB are free{advice}"
    yield Finding("space", message, "warning" if state == "warning" else "ok")
    if space.f_files and not space.f_favail:
        yield Finding("space", "the file system has no room for more files", "error", 6)


def _modes(home: str) -> Finding:
    """Look at the directory, at what lies in it, and at the shards of the objects."""
    shared = is_shared(home)
    loose = [path for path in (home, *_nearby(home)) if _is_loose(path, 0o007 if shared else 0o077)]
    closed = [path for path in _nearby(home) if shared and _is_closed(path)]
    if loose:
        others = "others than its group" if shared else "others than its owner"
        return Finding(
            "modes",
            f"{others} may use {_first(loose)}, and whoever can write there can run code as those "
            f"who read artifacts: chmod -R {'o=' if shared else 'go='} {home}",
            "warning",
        )
    if closed:
        return Finding(
            "modes",
            f"the store is shared, but its group can't use {_first(closed)}: their owner can run "
            "'flowkit store init --shared-group'",
            "warning",
        )
    whose = "its owner and its group" if shared else "its owner"
    return Finding("modes", f"only {whose} can read it")


def _first(paths: Sequence[str]) -> str:
    return f"{paths[0]} and {len(paths) - 1} more" if len(paths) > 1 else paths[0]


def _nearby(home: str) -> Iterator[str]:
    own = ("objects", "tmp", "locks", "logs", "verified", "quarantine", "cache")
    names = [name for name in sorted(os.listdir(home)) if name in own or ".db" in name]
    for name in names:
        path = os.path.join(home, name)
        yield path
        if name == "objects":
            yield from sorted(entry.path for entry in os.scandir(path))


def _is_loose(path: str, forbidden: int) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return not stat.S_ISLNK(mode) and bool(mode & forbidden)


def _is_closed(path: str) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return not mode & stat.S_IRGRP


def check_packages(names: Sequence[str] = OPTIONAL) -> Finding:
    """Return the versions of Python and of optional packages; none is imported."""
    found = []
    for name in names:
        try:
            found.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            continue
    python = ".".join(map(str, sys.version_info[:3]))
    return Finding("packages", ", ".join([f"python {python}", *found]))


def check_clock(home: str) -> Finding:
    """Compare the clock with reason, and with the youngest file of the store."""
    now = time.time()
    if now < _EARLIEST:
        return Finding("clock", f"it says {time.ctime(now)}: set it", "error", 1)
    youngest = max((_changed(path) for path in _nearby(home)), default=0.0) if _is(home) else 0.0
    if youngest > now + _STEP:
        return Finding(
            "clock",
            f"files of the store are {youngest - now:.0f} seconds from the future: compare the "
            "clocks of the machines that use it",
            "warning",
        )
    return Finding("clock", "it is not behind the files of the store")


def _is(home: str) -> bool:
    return os.path.isdir(home)


def _changed(path: str) -> float:
    try:
        return os.lstat(path).st_mtime
    except OSError:
        return 0.0


def check_fork() -> Finding:
    """Fork, as the local executor does, and let the child answer."""
    if not hasattr(os, "fork"):
        return Finding("fork", "this platform can't fork: use the executor 'spawn'", "warning")
    try:
        pid = os.fork()
    except OSError as error:
        return Finding("fork", f"no process could be forked: {error.strerror}", "error", 1)
    if pid == 0:
        os._exit(_ANSWER)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if code == _ANSWER:
        return Finding("fork", "a process was forked and answered")
    return Finding("fork", f"a forked process ended with {code}: is memory short?", "error", 1)


def guarded(subject: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    """Yield findings; an error that ends them is one too."""
    try:
        yield from findings
    except FlowkitError as error:
        yield failure(subject, error)
    except OSError as error:
        yield Finding(subject, f"can't look at it: {error}", "error", 6)
