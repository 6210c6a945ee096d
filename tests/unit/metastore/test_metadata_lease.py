"""Lock files and the identity of processes."""

import fcntl
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from flowkit.exceptions import MetadataError
from flowkit.metastore.lease import (
    HEARTBEAT_LIMIT,
    LockDirectory,
    RunLock,
    is_alive,
    process_start,
    this_process,
)

HERE = this_process()
ELSEWHERE = replace(HERE, host="elsewhere", boot_id="another kernel")
REBOOTED = replace(HERE, boot_id="another kernel")


def take(locks: LockDirectory) -> RunLock:
    lock = locks.take("token")
    assert lock is not None
    return lock


def test_a_lock_is_held_until_it_is_given_back(tmp_path):
    locks = LockDirectory(tmp_path / "locks")
    before = locks.is_held("token")
    lock = take(locks)
    held = locks.is_held("token")
    lock.give_back()

    assert (before, held, locks.is_held("token")) == (False, True, False)


def test_a_lock_has_one_holder(tmp_path):
    locks = LockDirectory(tmp_path)
    lock = take(locks)

    assert LockDirectory(tmp_path).take("token") is None
    lock.give_back()


def test_asking_for_a_lock_does_not_take_or_free_it(tmp_path):
    locks = LockDirectory(tmp_path)
    lock = take(locks)
    for _ in range(3):
        (tmp_path / "token").open("rb").close()

        assert locks.is_held("token") is True
    lock.give_back()
    for _ in range(3):
        assert locks.is_held("token") is False
    again = locks.take("token")

    assert again is not None
    again.give_back()


def test_a_removed_lock_leaves_no_file(tmp_path):
    lock = take(LockDirectory(tmp_path / "locks"))
    mode = (tmp_path / "locks" / "token").stat().st_mode & 0o777
    lock.remove()

    assert mode == 0o600
    assert list((tmp_path / "locks").iterdir()) == []


def test_programs_that_the_holder_starts_do_not_inherit_the_lock(tmp_path):
    locks = LockDirectory(tmp_path)
    lock = take(locks)
    child = subprocess.Popen(
        [sys.executable, "-c", "print('up', flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        close_fds=False,
    )
    assert child.stdout is not None
    child.stdout.readline()
    lock.give_back()
    held = locks.is_held("token")
    child.communicate(b"\n")

    assert held is False


def test_a_lock_file_that_can_t_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(MetadataError, match="lock file"):
        LockDirectory(tmp_path / "file").take("token")


def test_a_lock_that_can_t_be_opened_tells_nothing(tmp_path):
    (tmp_path / "loop").symlink_to("loop")

    assert LockDirectory(tmp_path).is_held("loop") is None


def test_on_the_same_kernel_the_lock_decides():
    silent = HEARTBEAT_LIMIT * 10

    assert is_alive(HERE, is_held=True, silence=silent)
    assert not is_alive(HERE, is_held=False, silence=0)
    assert is_alive(replace(HERE, host="a container"), is_held=True, silence=silent)


def test_a_host_that_has_booted_since_drives_nothing_any_more():
    assert not is_alive(REBOOTED, is_held=True, silence=0)


def test_on_another_host_the_heartbeat_decides():
    assert is_alive(ELSEWHERE, is_held=False, silence=HEARTBEAT_LIMIT)
    assert not is_alive(ELSEWHERE, is_held=True, silence=HEARTBEAT_LIMIT + 1)


def test_without_a_lock_the_process_and_its_start_decide():
    child = subprocess.Popen([sys.executable, "-c", ""])
    gone = replace(HERE, pid=child.pid, pid_start=process_start(child.pid))
    child.wait()

    assert is_alive(HERE, is_held=None, silence=0)
    assert not is_alive(replace(HERE, pid_start="earlier"), is_held=None, silence=0)
    assert not is_alive(gone, is_held=None, silence=0)


def test_a_process_is_named_by_host_and_id():
    assert str(HERE) == f"{os.uname().nodename}, process {os.getpid()}"


def test_the_locks_are_of_the_kind_that_belongs_to_the_open_file(tmp_path):
    lock = take(LockDirectory(tmp_path))
    with (tmp_path / "token").open("r+b") as file, pytest.raises(BlockingIOError):
        fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    lock.give_back()
