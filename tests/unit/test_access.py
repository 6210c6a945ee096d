"""Who may use what flowkit makes: modes, whatever the umask, and how they are inherited."""

import os
import stat

import pytest

from flowkit import access
from flowkit.exceptions import StorageError, UsageError


@pytest.fixture(params=[0o000, 0o022, 0o077, 0o777], ids="umask {:o}".format)
def umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(os.stat(path).st_mode)


@pytest.fixture
def shared(tmp_path):
    """A shared directory."""
    path = tmp_path / "shared"
    path.mkdir()
    path.chmod(0o2770)
    return str(path)


def test_what_is_made_is_private(tmp_path, umask):
    made = access.make_directories(f"{tmp_path}/a/b")
    os.close(access.create_file(f"{tmp_path}/a/b/file"))

    assert made == [f"{tmp_path}/a", f"{tmp_path}/a/b"]
    assert [mode(path) for path in (*made, f"{tmp_path}/a/b/file")] == [0o700, 0o700, 0o600]


def test_what_is_made_below_a_shared_directory_is_shared(shared, umask):
    made = access.make_directories(f"{shared}/a/b")
    os.close(access.open_file(f"{shared}/a/b/file"))

    assert [mode(path) for path in (*made, f"{shared}/a/b/file")] == [0o2770, 0o2770, 0o660]
    assert access.access_in(f"{shared}/a").final == 0o440
    assert os.listdir(shared) == ["a"]


def test_a_new_store_is_private_also_below_a_shared_directory(shared, umask):
    access.make_directories(f"{shared}/.flowkit/logs")

    assert (mode(f"{shared}/.flowkit"), mode(f"{shared}/.flowkit/logs")) == (0o700, 0o700)


@pytest.mark.parametrize("almost", [0o770, 0o2750, 0o2755, 0o700])
def test_a_directory_of_other_modes_is_not_shared(tmp_path, almost):
    tmp_path.chmod(almost)

    assert access.access_in(str(tmp_path)) == access.PRIVATE


def test_a_directory_that_others_make_first_is_taken_as_it_is(shared):
    access.make_directory(f"{shared}/a")
    os.close(access.create_file(f"{shared}/a/file"))

    access.make_directory(f"{shared}/a")

    assert os.listdir(shared) == ["a"]
    assert os.listdir(f"{shared}/a") == ["file"]


def test_a_file_that_is_there_keeps_its_mode_and_content(tmp_path, umask):
    path = tmp_path / "file"
    path.write_bytes(b"content")
    path.chmod(0o640)
    os.close(access.open_file(str(path)))

    assert (mode(path), path.read_bytes()) == (0o640, b"content")
    with pytest.raises(FileExistsError):
        access.create_file(str(path))


def test_a_dangling_link_is_an_error_and_no_endless_loop(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")

    with pytest.raises(FileNotFoundError):
        access.open_file(f"{tmp_path}/link")


def test_a_directory_is_shared_with_all_that_is_in_it(tmp_path):
    home = tmp_path / "home"
    access.make_directories(f"{home}/objects")
    outside = tmp_path / "outside"
    outside.touch(mode=0o600)
    for name, its in (("log", 0o600), ("objects/blob", 0o400)):
        (home / name).touch()
        (home / name).chmod(its)
    (home / "link").symlink_to(outside)

    group = access.share(str(home))

    found = {name: mode(home / name) for name in (".", "log", "objects", "objects/blob")}
    assert found == {".": 0o2770, "log": 0o660, "objects": 0o2770, "objects/blob": 0o440}
    assert mode(outside) == 0o600
    assert group == access.share(str(home))


def test_a_group_that_does_not_exist_is_told(tmp_path):
    with pytest.raises(UsageError, match="there is no group 'no-such-group' on this machine"):
        access.share(str(tmp_path), "no-such-group")


def test_a_store_that_is_missing_or_open_to_this_user_can_be_used(tmp_path):
    access.check_usable(str(tmp_path))
    access.check_usable(f"{tmp_path}/missing/.flowkit")


def test_a_store_that_is_a_file_or_below_one_is_refused(tmp_path):
    (tmp_path / "file").touch()
    for path in ("file", "file/.flowkit"):
        with pytest.raises(StorageError, match=f"can't be in {tmp_path}/file: it is not a direc"):
            access.check_usable(f"{tmp_path}/{path}")
