"""Settings: flags, then ``FLOWKIT_*``, then files; the only module that reads the environment.

Files hold the same names in lower case without the prefix: ``flowkit.toml`` in the working
directory or above it, then ``~/.config/flowkit/config.toml``. A table ``[profile.NAME]``, chosen
by ``FLOWKIT_PROFILE``, goes before the top level of its file.
"""

import getpass
import os
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from flowkit.exceptions import StorageError, UnknownUser, UsageError

HOME_NAME = ".flowkit"
PREFIX = "FLOWKIT_"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are and who runs them; everything below the command line gets this value.

    Attributes:
        home: Absolute path of the ``.flowkit`` directory.
        datastore: "local" (blobs in ``home``) or a URL such as ``s3://bucket/prefix``.
        metadata: URL such as ``sqlite:///path`` or ``postgresql://...``; "" is SQLite in ``home``.
        executor: "local", "inline", "spawn" or the name of an installed one.
        user: Name of the person.
        namespace: The client's namespace; None is the global one.
        tempdir: Directory for scratch files of tasks.
        decospecs: Step decorators for every step, as with ``--with``.
    """

    home: str
    datastore: str = "local"
    metadata: str = ""
    executor: str = "local"
    user: str = ""
    namespace: str | None = None
    tempdir: str = "."
    decospecs: tuple[str, ...] = ()

    @property
    def metadata_url(self) -> str:
        """The metadata store's URL, also when it is the default one."""
        return self.metadata or f"sqlite:///{self.home}/flowkit.db"


_adopted: ContextVar[Settings | None] = ContextVar("flowkit_settings", default=None)


def adopt(settings: Settings) -> None:
    """Make these the settings of this process and of those it forks: flags hold for all of it."""
    _adopted.set(settings)


def load_settings(flags: Mapping[str, str | None] | None = None) -> Settings:
    """Return the settings of this process: the adopted ones, if any and no flags are given.

    Args:
        flags: Settings from the command line by attribute name; None means not given.

    Raises:
        UsageError: A settings file can't be read, or the profile doesn't exist.
        StorageError: What should be the store's directory is a file.
        UnknownUser: The user's name can't be determined.
    """
    adopted = _adopted.get()
    if adopted is not None and flags is None:
        return adopted
    chosen = {name: value for name, value in (flags or {}).items() if value is not None}
    files = _files()

    def lookup(name: str, default: str = "") -> str:
        if name in chosen:
            return chosen[name]
        from_environment = os.environ.get(PREFIX + name.upper())
        if from_environment is not None:
            return from_environment
        return next((str(f[name]) for f in files if name in f), default)

    user = lookup("user") or _user()
    namespace = lookup("namespace", f"user:{user}")
    return Settings(
        home=_home(lookup("home")),
        datastore=lookup("datastore", "local"),
        metadata=lookup("metadata"),
        executor=lookup("executor", "local"),
        user=user,
        namespace=namespace or None,
        tempdir=lookup("tempdir", "."),
        decospecs=tuple(lookup("decospecs").split()),
    )


def settings_for(location: str) -> Settings:
    """Return settings that point to the store at a location instead of the default one.

    Args:
        location: A directory that holds ``.flowkit``, ``local@DIR``, or a metadata URL.

    Raises:
        UsageError: The location is none of these.
    """
    settings = load_settings()
    kind, at, rest = location.partition("@")
    if at and kind in ("local", "sqlite"):
        location = rest
    if "://" in location:
        home = settings.home
        if location.startswith("sqlite:///"):
            home = os.path.dirname(location.removeprefix("sqlite:///"))
        return _replaced(settings, home=home, metadata=location)
    if not os.path.isdir(location):
        raise UsageError(f"metadata location {location!r} is no directory and no URL")
    return _replaced(settings, home=_home(location), metadata="")


def _replaced(settings: Settings, **changes: Any) -> Settings:
    fields = {name: getattr(settings, name) for name in Settings.__slots__}
    return Settings(**{**fields, **changes})


def _home(chosen: str) -> str:
    """Return ``.flowkit`` below the chosen directory, else the nearest one, else a new one here."""
    if chosen:
        path = os.path.abspath(os.path.expanduser(chosen))
        _check_directory(path)
        if os.path.basename(path) != HOME_NAME:
            path = os.path.join(path, HOME_NAME)
    else:
        path = _nearest(HOME_NAME) or os.path.join(os.getcwd(), HOME_NAME)
    _check_directory(path)
    return path


def _check_directory(path: str) -> None:
    """Raise `StorageError` when something else than a directory is where the store should be."""
    if os.path.exists(path) and not os.path.isdir(path):
        raise StorageError(f"the store can't be in {path}: it is not a directory")


def _nearest(name: str) -> str | None:
    directory = os.getcwd()
    while True:
        candidate = os.path.join(directory, name)
        if os.path.exists(candidate):
            return candidate
        parent = os.path.dirname(directory)
        if parent == directory:
            return None
        directory = parent


def _user() -> str:
    """Return the person's name; root is a person too, for instance in a container."""
    for variable in ("SUDO_USER", "USERNAME", "USER", "LOGNAME"):
        name = os.environ.get(variable)
        if name:
            return name
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        raise UnknownUser(
            f"could not determine your user name: set {PREFIX}USER to the name to use"
        ) from None


def _files() -> list[Mapping[str, Any]]:
    profile = os.environ.get(PREFIX + "PROFILE", "")
    config_home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")
    paths = [_nearest("flowkit.toml"), os.path.join(config_home, "flowkit", "config.toml")]
    tables: list[Mapping[str, Any]] = []
    has_profile = not profile
    for path in paths:
        if path is None or not os.path.exists(path):
            continue
        content = _read_toml(path)
        profiles = content.get("profile", {})
        if profile and profile in profiles:
            has_profile = True
            tables.append(profiles[profile])
        tables.append(content)
    if not has_profile:
        raise UsageError(f"there is no profile '{profile}' in flowkit.toml or {paths[1]}")
    return tables


def _read_toml(path: str) -> Mapping[str, Any]:
    import tomllib  # noqa: PLC0415 - only where there is a file

    try:
        with open(path, "rb") as file:
            return tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"settings file {path} can't be read: {error}") from None
