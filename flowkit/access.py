"""Who may use the files that flowkit makes: their owner, or the group of a shared directory.

A directory is shared when its group may do everything in it and what is made in it gets its group
(the set-group-id bit). What flowkit makes below a shared directory is shared as well. So a store
remembers by itself that it is shared: nobody has to be told, and no umask matters.
"""

import contextlib
import grp
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass

from flowkit.exceptions import StorageError, UsageError

HOME_NAME = ".flowkit"
"""Name of a store's directory; a new one is private, wherever it is made."""

_SHARED = stat.S_ISGID | stat.S_IRWXG
_TRIES = 3  # at a file that others remove again and again


@dataclass(frozen=True, slots=True)
class Access:
    """The modes of what is made.

    Attributes:
        directory: Of directories.
        file: Of files that are written to.
        final: Of files that never change.
    """

    directory: int
    file: int
    final: int


PRIVATE = Access(0o700, 0o600, 0o400)
SHARED = Access(0o2770, 0o660, 0o440)


def is_shared(directory: str) -> bool:
    """Tell whether a directory is there and shared with its group."""
    try:
        return os.stat(directory).st_mode & _SHARED == _SHARED
    except OSError:
        return False


def access_in(directory: str) -> Access:
    """Return the modes of what is made in a directory."""
    return SHARED if is_shared(directory) else PRIVATE


def make_directory(path: str) -> None:
    """Make a directory, whatever the umask; it may exist already."""
    parent, name = os.path.split(path)
    shared = name != HOME_NAME and is_shared(parent)
    if not shared:
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, PRIVATE.directory)
            os.chmod(path, PRIVATE.directory)
        return
    if os.path.isdir(path):
        return
    # Others must not find it before they may use it.
    made = f"{path}.{os.getpid()}-{os.urandom(4).hex()}"
    os.mkdir(made, PRIVATE.directory)
    try:
        os.chmod(made, SHARED.directory)
        os.rename(made, path)
    except OSError:
        os.rmdir(made)
        if not os.path.isdir(path):
            raise


def make_directories(path: str) -> list[str]:
    """Make a directory and its missing parents; return those that were made, outermost first."""
    missing: list[str] = []
    while not os.path.isdir(path) and path:
        missing.insert(0, path)
        path = os.path.dirname(path)
    for directory in missing:
        make_directory(directory)
    return missing


def create_file(path: str, flags: int = os.O_RDWR) -> int:
    """Create a file, whatever the umask, and return its descriptor.

    Raises:
        FileExistsError: It is there already.
    """
    access = access_in(os.path.dirname(path))
    descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, access.file)
    try:
        os.fchmod(descriptor, access.file)
    except OSError:
        os.unlink(path)
        os.close(descriptor)
        raise
    return descriptor


def open_file(path: str, flags: int = os.O_RDWR) -> int:
    """Open a file, or create it as `create_file` does, and return its descriptor."""
    for _ in range(_TRIES):
        with contextlib.suppress(FileExistsError):
            return create_file(path, flags)
        # Not O_CREAT: some systems refuse it for the files of others.
        with contextlib.suppress(FileNotFoundError):
            return os.open(path, flags | os.O_CLOEXEC)
    return os.open(path, flags | os.O_CLOEXEC)


def open_private(path: str, flags: int) -> int:
    """Open a file that a user asked for: the ``opener`` of ``open``; a new one is private."""
    return os.open(path, flags | os.O_CLOEXEC, PRIVATE.file)


def check_usable(directory: str) -> None:
    """Refuse a store's directory in which this user may not even look.

    Raises:
        StorageError: That is so; or what is there is no directory.
    """
    try:
        found = os.stat(directory)
    except FileNotFoundError:
        return
    except NotADirectoryError:
        above = os.path.dirname(directory)
        raise StorageError(f"the store can't be in {above}: it is not a directory") from None
    except OSError as error:
        raise StorageError(f"can't look for a store in {directory}: {error.strerror}") from None
    if not stat.S_ISDIR(found.st_mode):
        raise StorageError(f"the store can't be in {directory}: it is not a directory")
    if os.access(directory, os.R_OK | os.X_OK):
        return
    if is_shared(directory):
        state = f"is shared with group {_group_name(found.st_gid)}, and you are not in it"
    else:
        state = f"is private to {_user_name(found.st_uid)}, who can share it with a group: 'flowkit"
        state += " store init --shared-group'"
    raise StorageError(
        f"the store in {directory} {state}; use another store with FLOWKIT_HOME=DIRECTORY"
    )


def share(directory: str, group: str = "") -> str:
    """Share a directory and all that is in it with a group, and return the group's name.

    Args:
        directory: The directory, which belongs to this user.
        group: The group's name; that of the directory's group when empty.

    Raises:
        UsageError: There is no such group.
        StorageError: That can't be done.
    """
    chosen = _group_id(group) if group else os.stat(directory).st_gid
    path = directory
    try:
        for path in (*_below(directory), directory):  # the last one tells that all are done
            _share_one(path, chosen)
    except OSError as error:
        raise StorageError(
            f"can't share {path} with group {_group_name(chosen)}: {error.strerror}; its owner can"
            " who is in that group"
        ) from error
    if not is_shared(directory):
        # Who is not in the group may set all bits but this one, and is not told.
        raise StorageError(
            f"can't share {directory} with group {_group_name(chosen)}: you are not in it, or the"
            " file system has no groups"
        )
    return _group_name(chosen)


def _below(directory: str) -> Iterator[str]:
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_symlink():
                continue
            if entry.is_dir():
                yield from _below(entry.path)
            yield entry.path


def _share_one(path: str, group: int) -> None:
    found = os.stat(path, follow_symlinks=False)
    if stat.S_ISDIR(found.st_mode):
        wanted = SHARED.directory
    else:
        wanted = SHARED.file if found.st_mode & stat.S_IWUSR else SHARED.final
    if found.st_gid != group:
        os.chown(path, -1, group, follow_symlinks=False)
    if stat.S_IMODE(found.st_mode) != wanted or found.st_gid != group:
        os.chmod(path, wanted)


def _group_id(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        raise UsageError(f"there is no group '{name}' on this machine") from None


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"
