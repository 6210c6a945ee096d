"""Opens stores, metadata, executors and client; the only place that names adapters."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from flowkit import plugins
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.flowspec import definition, importing
from flowkit.authoring.seeds import UNSEEDED
from flowkit.config import Settings, adopt, load_settings, settings_for
from flowkit.content.store import ArtifactStore
from flowkit.exceptions import DefinitionError, UsageError
from flowkit.graph.build import build_graph
from flowkit.graph.graph import Graph
from flowkit.model.tasks import TaskResult, TaskSpec
from flowkit.ports.blobs import BlobStore
from flowkit.ports.executor import Executor
from flowkit.ports.metadata import MetadataReader, MetadataWriter

if TYPE_CHECKING:
    from flowkit.client.session import Session

Work = Callable[[TaskSpec], TaskResult]
EXECUTORS = ("local", "inline", "spawn")


def log_path(settings: Settings, token: str) -> str:
    """Return the path of a run's log file; the token is the run's random name."""
    return os.path.join(settings.home, "logs", f"{token}.log")


def open_blobs(settings: Settings) -> BlobStore:
    """Open the content store.

    Raises:
        UsageError: The datastore is of a kind that nobody provides.
    """
    if settings.datastore == "local":
        from flowkit.stores.local import LocalBlobStore

        return LocalBlobStore(settings.home)
    scheme = settings.datastore.partition("://")[0]
    opener = plugins.find("stores", scheme)
    if opener is None:
        raise UsageError(
            f"unknown datastore {settings.datastore!r}: use 'local' or a URL whose scheme is "
            "installed"
        )
    store: BlobStore = opener(settings.datastore)
    return store


def open_store(settings: Settings, main_module: str | None = None) -> ArtifactStore:
    """Open the content store for values.

    Args:
        settings: Where it is.
        main_module: The name under which ``__main__`` can be imported by others.
    """
    from flowkit.content.registry import Registry
    from flowkit.materializers.pickled import PickleMaterializer

    return ArtifactStore(
        open_blobs(settings), Registry(PickleMaterializer(main_module), main_module=main_module)
    )


def open_writer(settings: Settings) -> MetadataWriter:
    """Open the metadata store for a driver; create it when it is missing.

    Raises:
        UsageError: The URL is of a kind that nobody provides.
    """
    from flowkit.metastore.sqlite import open_writer as open_sqlite

    return open_sqlite(_sqlite_path(settings))


def open_reader(settings: Settings) -> MetadataReader:
    """Open the metadata store for reading; a missing one reads as an empty one.

    Raises:
        UsageError: The URL is of a kind that nobody provides.
    """
    from flowkit.metastore.sqlite import open_reader as open_sqlite

    return open_sqlite(_sqlite_path(settings))


def _sqlite_path(settings: Settings) -> str:
    url = settings.metadata_url
    if not url.startswith("sqlite:///"):
        raise UsageError(f"unknown metadata store {url!r}: use sqlite:///PATH")
    return url.removeprefix("sqlite:///")


def open_session(location: str | None = None) -> "Session":
    """Open what the client reads from.

    Args:
        location: As `flowkit.metadata` takes it; None for the configured default.
    """
    from flowkit.client.session import Session

    settings = load_settings() if location is None else settings_for(location)
    return Session(
        metadata=open_reader(settings),
        writer=lambda: open_writer(settings),
        store=open_store(settings),
        log_path=lambda token: log_path(settings, token),
        location=settings.metadata_url,
        user_namespace=settings.namespace or "",
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

        return LocalExecutor(lambda: _work(settings, flow, graph, module), unseeded=UNSEEDED)
    if name == "inline":
        from flowkit.executors.inline import InlineExecutor

        return InlineExecutor(_work(settings, flow, graph, module))
    if name == "spawn":
        from flowkit.executors.spawn import SpawnExecutor

        arguments = (settings, os.path.abspath(flow.file), flow.name, module)
        return SpawnExecutor("flowkit.wiring:open_work", arguments)
    raise UsageError(f"unknown executor '{name}': use one of {', '.join(EXECUTORS)}")


def open_work(settings: Settings, file: str, flow: str, module: str) -> Work:
    """Load a flow file in a fresh interpreter and return what runs its tasks."""
    adopt(settings)
    loaded = load_flow(file, flow, module)
    return _work(settings, loaded, build_graph(loaded), module)


def _work(settings: Settings, flow: FlowDef, graph: Graph, module: str) -> Work:
    from flowkit.runtime.worker import Worker

    return Worker(flow, graph, open_store(settings, module))


# --- the flow file --------------------------------------------------------------------------------


def main_module(flow: FlowDef) -> str:
    """Return the name under which other processes can import the flow's module, and register it.

    A class that is defined in a program lives in ``__main__``, and would be stored under that
    name, which means something else in every other process.
    """
    module = flow.cls.__module__
    if module != "__main__":
        return module
    stem = os.path.splitext(os.path.basename(flow.file))[0]
    name = stem if stem.isidentifier() else "".join(c if c.isalnum() else "_" for c in f"_{stem}")
    if name in sys.modules and sys.modules[name] is not sys.modules["__main__"]:
        name = f"{name}_flow"
    sys.modules[name] = sys.modules["__main__"]
    return name


def load_flow(file: str, flow: str, module: str) -> FlowDef:
    """Import a flow file under a module name and return one of its flows.

    Raises:
        DefinitionError: The file has no such flow.
    """
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(module, file)
    if spec is None or spec.loader is None:
        raise DefinitionError(f"flow file {file} can't be imported")
    loaded = module_from_spec(spec)
    sys.modules[module] = loaded
    sys.path.insert(0, os.path.dirname(file))
    with importing():
        spec.loader.exec_module(loaded)
    cls = getattr(loaded, flow, None)
    if cls is None:
        raise DefinitionError(f"flow file {file} has no class '{flow}'")
    return definition(cls)
