"""Notices what a watched step looks at that no trace records: files, network, processes, its run.

Python reports such things to audit hooks. Native code that opens files by itself does not.
"""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from types import FrameType
from typing import Any

from flowkit.model.traces import Hazard
from flowkit.ports.metadata import AUDITED
from flowkit.runtime.caching import declared_files
from flowkit.runtime.projectcode import is_own_file

_STEADY = frozenset({"flow_name", "step_name", "parameter_names"})
"""Attributes of `current` that are the same in every run."""
_NETWORK = frozenset({"socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.sendmsg"})
_PROCESSES = frozenset(
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"}
)
_MACHINE = frozenset({"lscpu", "nproc", "uname", "ldconfig", "sysctl"})
"""Programs by which libraries get to know the machine."""
_DIRECTORIES = frozenset({"os.listdir", "os.scandir"})
_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_ARTIFACTS = (f"{_PACKAGE}/content/", f"{_PACKAGE}/runtime/state.py", f"{_PACKAGE}/stores/")
_METADATA = (f"{_PACKAGE}/metastore/", f"{_PACKAGE}/config.py")
"""What opens files to read runs and versions, which is a hazard of its own."""
_RECORDED = (f"{_PACKAGE}/client/selecting.py", "find_version")
"""The look into the metadata that is recorded as a read."""
_READING = ("<frozen", "/importlib/", "/linecache.py", "/tokenize.py")
"""Files of those that read code, not data."""
_SYSTEM = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/", "/lib")
_WORKER = f"{_PACKAGE}/runtime/worker.py"


class Watch:
    """What one attempt was seen to look at.

    Args:
        declared: What the step declares to read.
    """

    def __init__(self, declared: Sequence[str] = ()) -> None:
        self._declared = set(declared_files(declared))
        self._written: set[str] = set()
        self._hazards: dict[tuple[str, str], Hazard] = {}

    @property
    def hazards(self) -> tuple[Hazard, ...]:
        """What was seen, once for each line and kind."""
        return tuple(self._hazards.values())

    def looked(self, name: str) -> None:
        """Take note that an attribute of `current` is read."""
        if name not in _STEADY:
            self.note("run", f"current.{name}")

    def note(self, kind: str, what: str) -> None:
        """Take note of a hazard, with the line of the user's code that is to blame."""
        where = _user_line(sys._getframe(1), kind)  # noqa: SLF001 - inspect.stack reads source files
        if where is not None:
            self._hazards.setdefault((kind, where), Hazard(kind, what, where))

    def opened(self, path: object, mode: object, flags: object) -> None:
        """Take note of a file that is opened."""
        if isinstance(path, bytes):
            path = os.fsdecode(path)
        if not isinstance(path, str):
            return  # a descriptor: whatever it is, it was opened before
        path = os.path.abspath(path)
        if _is_fresh(mode, flags):
            self._written.add(path)
            return
        if path in self._declared or path in self._written or path.startswith(_SYSTEM):
            return
        if is_own_file(path) and not path.endswith((".pyc", ".so")):
            self.note("files", path)


class Sentinel:
    """The audit hook of a process; it can't be taken away, but rests unless an attempt is watched.

    Making one adds the hook; `the_sentinel` makes one for all attempts of a process.
    """

    def __init__(self) -> None:
        self._watch: Watch | None = None
        sys.addaudithook(self._hook)

    @contextmanager
    def watching(self, watch: Watch) -> Iterator[Watch]:
        """Report to this watch until the end of the block."""
        self._watch = watch
        try:
            yield watch
        finally:
            self._watch = None

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        watch = self._watch
        if watch is None:
            return
        if event == "open":
            watch.opened(*arguments)
        elif event in _NETWORK:
            watch.note("network", f"{event} {arguments[-1]!r}")
        elif event in _PROCESSES and not (arguments and arguments[0] in _MACHINE):
            watch.note("processes", f"{event} {arguments[0]!r}" if arguments else event)
        elif event in _DIRECTORIES:
            watch.opened(arguments[0] or ".", "r", 0)
        elif event == "sqlite3.connect":
            watch.opened(_database(arguments[0]), "r", 0)
        elif event == AUDITED:
            watch.note("artifacts", "runs and versions in the store")


def _database(address: object) -> object:
    """Return the path of a database that may be given as a URI."""
    text = os.fsdecode(address) if isinstance(address, bytes) else address
    is_uri = isinstance(text, str) and text.startswith("file:")
    return str(text).removeprefix("file:").partition("?")[0] if is_uri else text


@cache
def the_sentinel() -> Sentinel:
    """Return the sentinel of this process."""
    return Sentinel()


def _is_fresh(mode: object, flags: object) -> bool:
    """Whether opening like this reads nothing of what the file had."""
    if isinstance(mode, str):
        return "r" not in mode and "a+" not in mode
    if not isinstance(flags, int):
        return False
    return bool(flags & (os.O_TRUNC | os.O_EXCL)) or flags & os.O_ACCMODE == os.O_WRONLY


def _user_line(frame: FrameType | None, kind: str) -> str | None:
    """Return file and line of the innermost frame of the user's; None when flowkit is to blame.

    Reading artifacts and importing code is no hazard: code has a fingerprint. "" stands for
    threads that show no code of the user's.
    """
    while frame is not None:
        path = frame.f_code.co_filename
        if kind != "artifacts" and path.startswith(_METADATA):
            return None
        if (path, frame.f_code.co_name) == _RECORDED:
            return None
        if path.startswith(_ARTIFACTS) or any(part in path for part in _READING):
            return None
        if path == _WORKER:
            return None
        if os.path.isabs(path) and is_own_file(path):
            return f"{path}:{frame.f_lineno}"
        frame = frame.f_back
    return ""
