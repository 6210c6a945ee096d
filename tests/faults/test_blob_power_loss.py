"""No power loss takes an acknowledged blob or shows half of one.

The real store runs with the functions of ``os`` recorded; a model then builds every state that a
power loss after each call may leave. "ordered": a prefix of the changes of directories survives,
as on a journalling file system. "weak": each change that was not synced survives or not, as POSIX
allows. Content that was not synced may be there, cut, empty, or zeros.
"""

import itertools
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from flowkit.content import codec
from flowkit.content.hashing import digest_of
from flowkit.exceptions import BlobCorrupted
from flowkit.stores import durable, local
from flowkit.stores.local import LocalBlobStore

DATA = b"precious " * 20
ACKNOWLEDGED = ("acknowledged",)


class PowerLossError(BaseException):
    """The writer is gone; it can't even clean up."""


@dataclass
class Recorder:
    """Calls the real functions, notes what they did, and stops the writer after some calls."""

    stop_after: int | None = None
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    descriptors: dict[int, tuple[str, int]] = field(default_factory=dict)
    positions: dict[int, int] = field(default_factory=dict)
    inodes: "itertools.count[int]" = field(default_factory=itertools.count)
    is_stopped: bool = False

    def note(self, *call):
        self.calls.append(call)

    def install(self, patch):
        for name in ("open", "write", "lseek", "fsync", "rename", "mkdir", "unlink", "close"):
            patch.setattr(os, name, self.wrap(getattr(os, name), getattr(self, name)))

    def wrap(self, real, after):
        def call(*arguments, **keywords):
            if self.stop_after is not None and len(self.calls) >= self.stop_after:
                self.is_stopped = True
            if self.is_stopped:
                raise PowerLossError
            result = real(*arguments, **keywords)
            after(result, *arguments)
            return result

        return call

    def open(self, descriptor, path, flags, _mode=0):
        inode = -1
        if flags & os.O_CREAT:
            inode = next(self.inodes)
            self.note("create", str(path), inode)
        self.descriptors[descriptor] = (str(path), inode)
        self.positions[descriptor] = 0

    def write(self, count, descriptor, data):
        inode = self.descriptors[descriptor][1]
        self.note("write", inode, self.positions[descriptor], bytes(data[:count]))
        self.positions[descriptor] += count

    def lseek(self, position, descriptor, *_):
        self.positions[descriptor] = position

    def fsync(self, _, descriptor):
        path, inode = self.descriptors[descriptor]
        self.note(*(("sync directory", path) if inode < 0 else ("sync", inode)))

    def rename(self, _, old, new):
        self.note("rename", str(old), str(new))

    def mkdir(self, _, path, *__):
        self.note("mkdir", str(path))

    def unlink(self, _, path):
        self.note("unlink", str(path))

    def close(self, _, descriptor):
        self.descriptors.pop(descriptor, None)


def states(calls, model):
    """Yield every state after a power loss at the end of these calls: path to content."""
    changes = [call for call in calls if call[0] in ("mkdir", "create", "rename", "unlink")]
    is_durable: dict[int, bool] = {}
    content: dict[int, bytes] = {}
    synced: dict[int, bytes] = {}
    for call in calls:
        if call in changes:
            is_durable.setdefault(id(call), False)
        elif call[0] == "write":
            _, inode, position, data = call
            old = content.get(inode, b"").ljust(position, b"\0")
            content[inode] = old[:position] + data + old[position + len(data) :]
        elif call[0] == "sync":
            synced[call[1]] = content.get(call[1], b"")
        elif call[0] == "sync directory":
            for change in changes:
                if id(change) in is_durable and os.path.dirname(name_of(change)) == call[1]:
                    is_durable[id(change)] = True
    volatile = [change for change in changes if not is_durable[id(change)]]
    for lost in losses(changes, volatile, model):
        names = surviving_names(changes, lost)
        choices = [
            [(path, data) for data in surviving_contents(content.get(inode, b""), synced, inode)]
            for path, inode in names.items()
        ]
        yield from map(dict, itertools.product(*choices))


def name_of(change):
    return change[2] if change[0] == "rename" else change[1]


def losses(changes, volatile, model):
    if model == "weak":
        for count in range(len(volatile) + 1):
            for lost in itertools.combinations(volatile, count):
                yield {id(change) for change in lost}
        return
    is_volatile = {id(change) for change in volatile}
    last = max((i for i, change in enumerate(changes) if id(change) not in is_volatile), default=-1)
    for end in range(last + 1, len(changes) + 1):
        yield {id(change) for change in changes[end:]}


def surviving_names(changes, lost):
    made = {call[1] for call in changes if call[0] == "mkdir"}
    directories = {call[1] for call in changes if call[0] == "mkdir" and id(call) not in lost}
    names, inodes = {}, {}
    for change in changes:
        if change[0] == "create":
            inodes[change[1]] = change[2]
        if change[0] == "rename":
            inodes[change[2]] = inodes[change[1]]
        if id(change) in lost or change[0] == "mkdir":
            continue
        if change[0] == "create":
            names[change[1]] = change[2]
        elif change[0] == "rename":
            names.pop(change[1], None)
            names[change[2]] = inodes[change[2]]
        else:
            names.pop(change[1], None)
    gone = made - directories
    return {
        path: inode
        for path, inode in names.items()
        if not any(str(parent) in gone for parent in Path(path).parents)
    }


def surviving_contents(data, synced, inode):
    if synced.get(inode) == data:
        return {data}
    return {data, b"", data[: len(data) // 2], bytes(len(data))}


def check(calls):
    """Return how many states there are, how many show half a blob, how many lost one."""
    digest = digest_of(DATA)
    count = torn = lost = 0
    for model in ("ordered", "weak"):
        for end in range(len(calls) + 1):
            done = calls[:end]
            for state in states(done, model):
                count += 1
                found = [data for path, data in state.items() if path.endswith(digest)]
                torn += any(not is_whole(data, digest) for data in found)
                lost += ACKNOWLEDGED in done and not found
    return count, torn, lost


def is_whole(stored, digest):
    try:
        return digest_of(codec.decode(memoryview(stored))) == digest
    except BlobCorrupted:
        return False


def record_put(root, put, recorder=None):
    recorder = recorder or Recorder()
    with pytest.MonkeyPatch.context() as patch:
        recorder.install(patch)
        put(LocalBlobStore(root))
        recorder.note(*ACKNOWLEDGED)
    return recorder


PUTS = {
    "small": lambda store: store.put(DATA),
    "many": lambda store: store.put_many([DATA, b"another"]),
    "twice": lambda store: [store.put(DATA), store.put(DATA)],
}


@pytest.mark.parametrize("put", PUTS.values(), ids=PUTS.keys())
def test_an_acknowledged_blob_survives_and_none_is_ever_half(tmp_path, put):
    recorder = record_put(tmp_path / "new" / "store", put)
    count, torn, lost = check(recorder.calls)

    assert count > 100
    assert (torn, lost) == (0, 0)


def test_the_path_of_large_blobs_is_as_durable(tmp_path, monkeypatch):
    monkeypatch.setattr(local, "_LARGE", 10)
    _, torn, lost = check(record_put(tmp_path / "store", PUTS["small"]).calls)

    assert (torn, lost) == (0, 0)


def test_a_blob_that_another_writer_left_at_any_moment_is_durable_when_acknowledged(tmp_path):
    for stop in itertools.count():
        root = tmp_path / str(stop) / "store"
        recorder = Recorder(stop_after=stop)
        try:
            record_put(root, PUTS["small"], recorder)
        except PowerLossError:
            pass
        else:
            break
        recorder.stop_after, recorder.is_stopped = None, False
        record_put(root, PUTS["small"], recorder)
        end = list(states(recorder.calls, "weak"))

        assert all(any(path.endswith(digest_of(DATA)) for path in state) for state in end)
    assert stop > 15


@pytest.mark.parametrize(
    ("module", "name"), [(local, "sync_directory"), (durable, "sync_directory")]
)
def test_the_model_notices_a_directory_that_is_not_synced(tmp_path, monkeypatch, module, name):
    monkeypatch.setattr(module, name, lambda _: None)
    _, _, lost = check(record_put(tmp_path / "new" / "store", PUTS["small"]).calls)

    assert lost > 0


def test_the_model_notices_a_file_that_is_not_synced(tmp_path, monkeypatch):
    monkeypatch.setattr(durable.TemporaryFile, "sync", durable.TemporaryFile.close)
    _, torn, _ = check(record_put(tmp_path / "store", PUTS["small"]).calls)

    assert torn > 0
