"""What the doctor says of a directory, a clock and an installation."""

import os

from flowkit.upkeep.doctor import check_clock, check_fork, check_packages, check_paths


def states(findings):
    return {finding.subject: finding.state for finding in findings}


def test_a_store_that_is_not_there_yet_is_no_problem(tmp_path):
    found = list(check_paths(str(tmp_path / "none")))

    assert [finding.state for finding in found] == ["ok"]


def test_a_private_store_is_fine(shop):
    shop.run(x=1)

    assert set(states(check_paths(str(shop.home))).values()) == {"ok"}


def test_a_directory_that_others_may_use_is_named(shop):
    shop.run(x=1)
    os.chmod(shop.home / "objects", 0o755)
    (found,) = [f for f in check_paths(str(shop.home)) if f.subject == "modes"]

    assert found.state == "warning"
    assert str(shop.home / "objects") in found.message


def test_files_from_the_future_make_the_clock_suspicious(shop):
    shop.run(x=1)
    assert check_clock(str(shop.home)).state == "ok"
    os.utime(shop.database, (2**33, 2**33))

    assert check_clock(str(shop.home)).state == "warning"


def test_versions_of_packages_are_listed_without_those_that_are_missing():
    found = check_packages(("pytest", "no-such-package-at-all"))

    assert "pytest" in found.message
    assert "no-such" not in found.message


def test_the_fork_test_forks():
    assert check_fork().state == "ok"
