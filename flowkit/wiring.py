"""Opens stores, metadata, executors and client; the only place that names adapters."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowkit import plugins
from flowkit.access import make_directories, share
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.flowspec import definition
from flowkit.authoring.seeds import UNSEEDED
from flowkit.config import Settings, adopt, load_settings, settings_for
from flowkit.content.logfiles import RunLogs
from flowkit.content.store import ArtifactStore
from flowkit.exceptions import S3URLException, UsageError
from flowkit.flowmodule import load_class, main_module
from flowkit.graph.build import build_graph
from flowkit.graph.graph import Graph
from flowkit.model.tasks import TaskResult, TaskSpec
from flowkit.ports.blobs import BlobStore, SupportsPrepare, SupportsProbe
from flowkit.ports.executor import Executor
from flowkit.ports.metadata import MetadataReader, MetadataWriter
from flowkit.ports.sweeping import Collector, Inventory, RunRemover
from flowkit.ports.upkeep import MetadataUpkeep

if TYPE_CHECKING:
    from flowkit.client.session import Session
    from flowkit.ports.transfer import RunSink, RunSource

Work = Callable[[TaskSpec], TaskResult]
EXECUTORS = ("local", "inline", "spawn")


def share_home(settings: Settings, group: str) -> str:
    """Share the store's directory with a group of users, and return the group's name.

    Args:
        settings: Where it is.
        group: The group's name; that of the directory's group when empty.

    Raises:
        UsageError: There is no such group, or the metadata are in a file elsewhere.
        StorageError: The directory can't be shared.
    """
    path = os.path.abspath(_sqlite_path(settings))
    if metadata_scheme(settings) == "sqlite" and os.path.dirname(path) != settings.home:
        raise UsageError(f"only {settings.home} can be shared, and the metadata are in {path}")
    make_directories(settings.home)
    return share(settings.home, group)


def open_blobs(settings: Settings) -> BlobStore:
    """Open the content store.

    Raises:
        UsageError: The datastore is of a kind that nobody provides.
    """
    if settings.datastore == "local":
        from flowkit.stores.local import LocalBlobStore

        return LocalBlobStore(settings.home)
    scheme = settings.datastore.partition("://")[0]
    if scheme == "s3":
        return _open_s3(settings)
    opener = plugins.find("stores", scheme)
    if opener is None:
        raise UsageError(
            f"unknown datastore {settings.datastore!r}: use 'local' or a URL whose scheme is "
            "installed"
        )
    store: BlobStore = opener(settings.datastore)
    return store


def _open_s3(settings: Settings) -> BlobStore:
    """Open an S3 store behind a cache on this machine; no request is sent yet."""
    from flowkit.content.hashing import digest_of
    from flowkit.s3client.address import split_url
    from flowkit.s3client.bucket import Bucket
    from flowkit.s3client.connection import Connection, Endpoint
    from flowkit.s3client.requests import Requests
    from flowkit.stores.s3 import S3BlobStore
    from flowkit.stores.wrapping import BlobCache, ReadThroughStore

    try:
        bucket, prefix = split_url(settings.datastore)
    except S3URLException as error:
        raise UsageError(f"datastore: {error}") from None
    connection = Connection(Endpoint(settings.s3_endpoint_url))
    requests = Requests(connection, settings.s3_retry_seconds)
    # What a cache has is not uploaded again: so each store needs one of its own.
    identity = f"{settings.s3_endpoint_url} {bucket} {prefix.rstrip('/')}"
    path = os.path.join(_cache_directory(settings), digest_of(identity.encode())[:16])
    store = S3BlobStore(
        Bucket(requests, bucket), prefix.rstrip("/"), settings.s3_encryption, f"{path}/service"
    )
    return ReadThroughStore(store, BlobCache(path, int(settings.client_cache_max_size * 1e6)))


def _cache_directory(settings: Settings) -> str:
    return os.path.expanduser(settings.client_cache_path or os.path.join(settings.home, "cache"))


def run_logs(settings: Settings, store: ArtifactStore) -> RunLogs:
    """Return where the logs of runs are whose values are there."""
    return RunLogs(settings.home, store.files, os.path.join(_cache_directory(settings), "logs"))


def open_store(settings: Settings, main_module: str | None = None) -> ArtifactStore:
    """Open the content store for values.

    Args:
        settings: Where it is.
        main_module: The name under which ``__main__`` can be imported by others.
    """
    return store_on(open_blobs(settings), main_module)


def open_probed_store(settings: Settings, main_module: str | None = None) -> ArtifactStore:
    """Open the content store for a driver: what its service can do is found out first.

    Raises:
        StorageError: The store can't be used.
    """
    blobs = open_blobs(settings)
    if isinstance(blobs, SupportsProbe):
        blobs.probe()
    return store_on(blobs, main_module)


def open_scratch_store(settings: Settings, main_module: str | None = None) -> ArtifactStore:
    """Open the content store for values, such that what is written stays in memory."""
    from flowkit.stores.scratch import ScratchBlobStore

    return store_on(ScratchBlobStore(open_blobs(settings)), main_module)


def store_on(blobs: BlobStore, main_module: str | None = None) -> ArtifactStore:
    """Return the store of values whose bytes are there.

    Args:
        blobs: Where the bytes are.
        main_module: As for `open_store`.
    """
    from flowkit.materializers.standard import standard_registry

    return ArtifactStore(blobs, standard_registry(main_module))


def open_writer(settings: Settings) -> MetadataWriter:
    """Open the metadata store for a driver; create it when it is missing.

    Raises:
        UsageError: The URL is of a kind that nobody provides.
    """
    if metadata_scheme(settings) == "sqlite":
        from flowkit.metastore import sqlite

        return sqlite.open_writer(_sqlite_path(settings))
    _check_psycopg()
    from flowkit.metastore import postgres

    locks, patience = _lock_directory(settings), settings.metadata_retry_seconds
    return postgres.open_writer(settings.metadata_url, locks, patience=patience)


def open_reader(settings: Settings) -> MetadataReader:
    """Open the metadata store for reading; a missing one reads as an empty one.

    Raises:
        UsageError: The URL is of a kind that nobody provides.
    """
    if metadata_scheme(settings) == "sqlite":
        from flowkit.metastore import sqlite

        return sqlite.open_reader(_sqlite_path(settings))
    _check_psycopg()
    from flowkit.metastore import postgres

    return postgres.open_reader(settings.metadata_url, _lock_directory(settings))


def open_metadata_upkeep(settings: Settings) -> MetadataUpkeep:
    """Open the metadata store for what people do to the store itself; nothing is created.

    Raises:
        UsageError: The URL is of a kind that nobody provides.
    """
    if metadata_scheme(settings) == "sqlite":
        from flowkit.metastore.sqliteupkeep import SqliteUpkeep

        return SqliteUpkeep(_sqlite_path(settings))
    _check_psycopg()
    from flowkit.metastore.pgupkeep import PostgresUpkeep

    return PostgresUpkeep(settings.metadata_url)


def open_inventory(settings: Settings) -> Inventory:
    """Open what refers to blobs, for those who only look; nothing is created."""
    from flowkit.metastore.sweeping import SqlInventory

    return SqlInventory(*_snapshots(settings))


def open_collector(settings: Settings) -> Collector:
    """Open the metadata for garbage collection; the right to delete is not taken yet."""
    from flowkit.metastore.sweeping import SqlCollector

    return SqlCollector(*_transactions(settings))


def open_run_remover(settings: Settings) -> RunRemover:
    """Open the metadata for deleting runs."""
    from flowkit.metastore.removal import SqlRunRemover

    return SqlRunRemover(*_transactions(settings))


def open_run_source(settings: Settings) -> "RunSource":
    """Open the metadata for reading runs that are to be copied; nothing is created."""
    from flowkit.metastore.outgoing import SqlRunSource

    return SqlRunSource(*_snapshots(settings))


def open_run_sink(settings: Settings) -> "RunSink":
    """Open the metadata for taking in runs of other stores; create it when it is missing."""
    from flowkit.metastore.incoming import SqlRunSink

    return SqlRunSink(*_transactions(settings))


def _transactions(settings: Settings) -> Any:
    """Return a database open for writing, and the lock files of its runs."""
    if metadata_scheme(settings) == "sqlite":
        from flowkit.metastore import sqlite

        return sqlite.transactions(_sqlite_path(settings))
    _check_psycopg()
    from flowkit.metastore import postgres

    return postgres.transactions(settings.metadata_url, _lock_directory(settings))


def _snapshots(settings: Settings) -> Any:
    """Return a database open for reading, and the lock files of its runs."""
    if metadata_scheme(settings) == "sqlite":
        from flowkit.metastore import sqlite

        return sqlite.snapshots(_sqlite_path(settings))
    _check_psycopg()
    from flowkit.metastore import postgres

    return postgres.snapshots(settings.metadata_url, _lock_directory(settings))


def _lock_directory(settings: Settings) -> str:
    """Return where the lock files of runs are whose metadata is in a database elsewhere."""
    return os.path.join(settings.home, "locks")


def _check_psycopg() -> None:
    """Raise `UsageError` unless psycopg can be imported."""
    try:
        import psycopg  # noqa: F401 - to find out
    except ImportError as error:
        raise UsageError(
            f'metadata in PostgreSQL needs its driver ({error}): pip install "flowkit[postgres]"'
        ) from error


def metadata_scheme(settings: Settings) -> str:
    """Return the kind of the metadata store: "sqlite" or "postgresql".

    Raises:
        UsageError: The URL is of a kind that nobody provides.
    """
    # Of the URL, which may have a password, nothing but this is ever repeated.
    scheme = settings.metadata_url.partition(":")[0]
    if scheme in ("postgres", "postgresql"):
        return "postgresql"
    if not settings.metadata_url.startswith("sqlite:///"):
        raise UsageError(
            f"unknown kind of metadata store '{scheme}': use sqlite:///PATH or postgresql://..."
        )
    return "sqlite"


def _sqlite_path(settings: Settings) -> str:
    return settings.metadata_url.removeprefix("sqlite:///")


def open_session(location: str | None = None) -> "Session":
    """Open what the client reads from.

    Args:
        location: As `flowkit.metadata` takes it; None for the configured default.
    """
    from flowkit.client.session import Session

    settings = load_settings() if location is None else settings_for(location)
    store = open_store(settings)
    return Session(
        metadata=open_reader(settings),
        writer=lambda: open_writer(settings),
        store=store,
        logs=run_logs(settings, store),
        location=settings.metadata_location,
        user_namespace=settings.namespace or "",
        user=settings.user,
        datastore=settings.home if settings.datastore == "local" else settings.datastore,
    )


# --- executors ------------------------------------------------------------------------------------


def open_executor(settings: Settings, flow: FlowDef, graph: Graph) -> Executor:
    """Open the executor; call this before anything else is opened, from the main thread.

    The local executor forks its server here, and that server must not inherit a connection.

    Raises:
        UsageError: There is no executor of this name.
    """
    module = main_module(flow)
    name = settings.executor
    if name == "local":
        from flowkit.executors.local import LocalExecutor

        return LocalExecutor(lambda: _forked_work(settings, flow, graph, module), unseeded=UNSEEDED)
    if name == "inline":
        from flowkit.executors.inline import InlineExecutor

        return InlineExecutor(_work(settings, flow, graph, module))
    if name == "spawn":
        from flowkit.executors.spawn import SpawnExecutor

        how = (flow.config_values, flow.decospecs)
        arguments = (settings, os.path.abspath(flow.file), flow.cls.__name__, module, *how)
        return SpawnExecutor("flowkit.wiring:open_work", arguments)
    raise UsageError(f"unknown executor '{name}': use one of {', '.join(EXECUTORS)}")


def open_work(
    settings: Settings,
    file: str,
    flow: str,
    module: str,
    configs: Mapping[str, Any],
    decospecs: Sequence[str],
) -> Work:
    """Load a flow file in a fresh interpreter and return what runs its tasks."""
    adopt(settings)
    loaded = definition(load_class(file, flow, module), configs, decospecs)
    return _work(settings, loaded, build_graph(loaded), module)


def _forked_work(settings: Settings, flow: FlowDef, graph: Graph, module: str) -> Work:
    """Return the work of tasks that are forked from this process; what most need is imported."""
    import lz4.frame  # noqa: F401

    from flowkit.materializers.standard import import_ahead

    import_ahead()
    return _work(settings, flow, graph, module)


def _work(settings: Settings, flow: FlowDef, graph: Graph, module: str) -> Work:
    from flowkit.runtime.worker import Worker

    blobs = open_blobs(settings)
    if isinstance(blobs, SupportsPrepare):
        blobs.prepare()  # once, where the tasks are forked
    return Worker(flow, graph, store_on(blobs, module))
