"""Lock files of runs that may be driven from elsewhere."""

from dataclasses import replace

import pytest

from flowkit.exceptions import MetadataError
from flowkit.metastore.hostlocks import HostLocks
from flowkit.metastore.lease import HEARTBEAT_LIMIT, this_process

HERE = this_process()
SILENT = HEARTBEAT_LIMIT + 1


@pytest.fixture
def locks(tmp_path):
    return HostLocks(tmp_path / "home" / "locks")


def test_the_holder_s_own_lock_decides_at_once(locks):
    lock = locks.take("token")
    during = locks.is_alive("token", HERE, SILENT)
    lock.give_back()

    assert during is True
    assert locks.is_alive("token", HERE, 0) is False


def test_a_run_without_a_lock_here_lives_by_its_heartbeat(locks):
    for holder in (HERE, replace(HERE, host="elsewhere", boot_id="another")):
        assert locks.is_alive("token", holder, HEARTBEAT_LIMIT) is True
        assert locks.is_alive("token", holder, SILENT) is False


def test_the_lock_of_an_earlier_driver_says_nothing_about_a_later_one(locks):
    locks.take("token").give_back()
    later = replace(HERE, pid=HERE.pid + 1)

    assert locks.is_alive("token", HERE, 0) is False
    assert locks.is_alive("token", later, 0) is True


def test_a_lock_that_changes_hands_is_signed_anew(locks):
    first = locks.take("token")
    first.sign(b"somebody with a very long name" * 10)
    first.give_back()
    second = locks.take("token")

    assert locks.is_alive("token", HERE, SILENT) is True
    second.remove()


def test_a_directory_that_can_t_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(MetadataError, match="can't create"):
        HostLocks(tmp_path / "file" / "locks").take("token")
