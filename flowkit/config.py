"""Settings: flags, then ``FLOWKIT_*``, then files; the only module that reads the environment.

Files hold the same names in lower case without the prefix: ``flowkit.toml`` in the working
directory or above it, then ``~/.config/flowkit/config.toml``. A table ``[profile.NAME]``, chosen
by ``FLOWKIT_PROFILE``, goes before the top level of its file.
"""

import getpass
import os
import re
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from flowkit.access import HOME_NAME, check_usable
from flowkit.exceptions import UnknownUser, UsageError
from flowkit.metastore.location import without_password

PREFIX = "FLOWKIT_"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things are and who runs them; everything below the command line gets this value.

    Attributes:
        home: Absolute path of the ``.flowkit`` directory.
        datastore: "local" (blobs in ``home``) or a URL such as ``s3://bucket/prefix``.
        metadata: URL such as ``sqlite:///path`` or ``postgresql://...``; "" is SQLite in ``home``.
        metadata_retry_seconds: How long a run waits for a PostgreSQL server that went away.
        executor: "local", "inline", "spawn" or the name of an installed one.
        user: Name of the person.
        namespace: The client's namespace; None is the global one.
        tempdir: Directory for scratch files of tasks.
        decospecs: Step decorators for every step, as with ``--with``.
        cache: Whether steps that don't say otherwise reuse earlier results.
        s3_endpoint_url: URL of an S3 service that is not Amazon's; "" leaves it to boto3.
        s3_server_side_encryption: Of what is written to S3: "AES256", "aws:kms", ...; "" leaves
            it to the bucket.
        s3_kms_key_id: Key for "aws:kms"; "" leaves it to the bucket.
        s3_retry_seconds: How long an S3 service that is overloaded is asked again.
        client_cache_path: Directory of what was read from a distant store; "" is in ``home``.
        client_cache_max_size: Megabytes kept there.
        datatools_s3root: URL below which `S3(run=...)` has its keys; "" is ``data`` below an S3
            datastore.
    """

    home: str
    datastore: str = "local"
    metadata: str = field(default="", repr=False)  # may have a password
    metadata_retry_seconds: float = 900
    executor: str = "local"
    user: str = ""
    namespace: str | None = None
    tempdir: str = "."
    decospecs: tuple[str, ...] = ()
    cache: bool = False
    s3_endpoint_url: str = ""
    s3_server_side_encryption: str = ""
    s3_kms_key_id: str = ""
    s3_retry_seconds: float = 900
    client_cache_path: str = ""
    client_cache_max_size: float = 10_000
    datatools_s3root: str = ""

    @property
    def s3_encryption(self) -> Mapping[str, str]:
        """Server-side encryption, as arguments of boto3 for what is written."""
        kind = self.s3_server_side_encryption or ("aws:kms" if self.s3_kms_key_id else "")
        chosen = {"ServerSideEncryption": kind, "SSEKMSKeyId": self.s3_kms_key_id}
        return {name: value for name, value in chosen.items() if value}

    @property
    def metadata_url(self) -> str:
        """The metadata store's URL, also when it is the default one."""
        return self.metadata or f"sqlite:///{self.home}/flowkit.db"

    @property
    def metadata_location(self) -> str:
        """The same without a password: to be shown, stored, and given to `settings_for`."""
        return without_password(self.metadata_url)


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
        StorageError: The store's directory is a file, or somebody else's and not shared.
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
        metadata_retry_seconds=_number(
            "metadata_retry_seconds", lookup("metadata_retry_seconds", "900")
        ),
        executor=lookup("executor", "local"),
        user=user,
        namespace=namespace or None,
        tempdir=lookup("tempdir", "."),
        decospecs=tuple(lookup("decospecs").split()),
        cache=lookup("cache").lower() in ("1", "true", "yes", "on"),
        s3_endpoint_url=lookup("s3_endpoint_url"),
        s3_server_side_encryption=lookup("s3_server_side_encryption"),
        s3_kms_key_id=lookup("s3_kms_key_id"),
        s3_retry_seconds=_number("s3_retry_seconds", lookup("s3_retry_seconds", "900")),
        client_cache_path=lookup("client_cache_path"),
        client_cache_max_size=_number(
            "client_cache_max_size", lookup("client_cache_max_size", "10000")
        ),
        datatools_s3root=lookup("datatools_s3root"),
    )


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not number >= 0:  # NaN is not
        raise UsageError(f"setting {name} is a number that is not negative, not {text!r}")
    return number


def environment_variable(name: str) -> str | None:
    """Return a variable of the environment that a step declares to read; None if it is not set."""
    return os.environ.get(name)


def flow_config_variables() -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return the files and the values that the environment gives for configs, by their names.

    Raises:
        UsageError: ``FLOWKIT_FLOW_CONFIG`` or ``FLOWKIT_FLOW_CONFIG_VALUE`` is no JSON dict.
    """
    return _json_variable("FLOW_CONFIG"), _json_variable("FLOW_CONFIG_VALUE")


def _json_variable(name: str) -> Mapping[str, Any]:
    import json  # noqa: PLC0415 - only flows with configs need it here

    try:
        value = json.loads(os.environ.get(PREFIX + name) or "{}")
    except ValueError as error:
        raise UsageError(f"{PREFIX}{name} is no JSON: {error}") from None
    if not isinstance(value, dict):
        raise UsageError(f"{PREFIX}{name} must be a JSON dict of config names")
    return value


def child_environment(changes: Mapping[str, str], profile: str | None = None) -> dict[str, str]:
    """Return the environment for a process that this one starts.

    Args:
        changes: Variables to add or replace.
        profile: Profile of the settings files; that of this process when None.
    """
    own = {} if profile is None else {f"{PREFIX}PROFILE": profile}
    return {**os.environ, **own, **changes}


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
        if location == settings.metadata_location:
            return settings
        if location.startswith("sqlite:///"):
            home = os.path.dirname(location.removeprefix("sqlite:///"))
        return _replaced(settings, home=home, metadata=location)
    if not os.path.isdir(location):
        raise UsageError(f"metadata location {location!r} is no directory and no URL")
    return _replaced(settings, home=_home(location), metadata="")


_OF_STORES = (
    "datastore",
    "metadata",
    "s3_endpoint_url",
    "s3_server_side_encryption",
    "client_cache_path",
)
_DATASTORE = re.compile(r"(local|/.*|[A-Za-z][A-Za-z0-9+.-]*://.*)")


def store_settings(store: str) -> Settings:
    """Return settings that point to a store, metadata and blobs, as people name one.

    Args:
        store: A directory: SQLite and blobs in its ``.flowkit``. ``@NAME``: what the profile NAME
            of the settings files says about metadata, datastore, home and S3, whatever the
            environment says. A metadata URL: with blobs as configured, or, after a comma, in a
            datastore (a directory or a URL).

    Raises:
        UsageError: It is none of these.
    """
    settings = load_settings()
    if store.startswith("@"):
        tables = _files(store[1:])
        told = {name: str(t[name]) for t in reversed(tables) for name in _OF_STORES if name in t}
        home = next((str(table["home"]) for table in tables if "home" in table), None)
        place = settings.home if home is None else _home(home)
        default = {"metadata": "", "datastore": "local", "home": place}
        return _replaced(settings, **{**default, **told})
    if "://" not in store:
        found = settings_for(store)
        return _replaced(found, datastore="local")
    metadata, comma, datastore = store.rpartition(",")
    if not comma or not _DATASTORE.fullmatch(datastore):
        return settings_for(store)
    found = settings_for(metadata)
    if datastore.startswith("/"):
        url = found.metadata_url  # the home is about to be another one
        return _replaced(found, home=_home(datastore), metadata=url, datastore="local")
    return _replaced(found, datastore=datastore)


def _replaced(settings: Settings, **changes: Any) -> Settings:
    fields = {name: getattr(settings, name) for name in Settings.__slots__}
    return Settings(**{**fields, **changes})


def _home(chosen: str) -> str:
    """Return ``.flowkit`` below the chosen directory, else the nearest one, else a new one here."""
    if chosen:
        path = os.path.abspath(os.path.expanduser(chosen))
        if os.path.basename(path) != HOME_NAME:
            path = os.path.join(path, HOME_NAME)
    else:
        path = _nearest(HOME_NAME) or os.path.join(os.getcwd(), HOME_NAME)
    check_usable(path)
    return path


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


def _files(profile: str | None = None) -> list[Mapping[str, Any]]:
    if profile is None:
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
