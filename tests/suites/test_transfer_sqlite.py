"""SQLite passes the suite of copying runs."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from flowkit.metastore import sqlite
from flowkit.metastore.incoming import SqlRunSink
from flowkit.metastore.outgoing import SqlRunSource
from flowkit.metastore.removal import SqlRunRemover
from flowkit.metastore.sweeping import SqlCollector, SqlInventory
from flowkit.testing.transfer import OpenStore, TransferStore, TransferSuite


def open_sqlite(path: Path, opened: ExitStack) -> TransferStore:
    """Open a file in every way that copying has to do with."""
    store = TransferStore(
        sqlite.open_writer(path),
        sqlite.open_reader(path),
        SqlRunSource(*sqlite.snapshots(path)),
        SqlRunSink(*sqlite.transactions(path)),
        SqlInventory(*sqlite.snapshots(path)),
        SqlCollector(*sqlite.transactions(path)),
        SqlRunRemover(*sqlite.transactions(path)),
    )
    for one in store:
        opened.enter_context(closing(one))
    return store


class TestSqliteTransfer(TransferSuite):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Iterator[OpenStore]:
        with ExitStack() as opened:
            yield lambda name: open_sqlite(tmp_path / name / "flowkit.db", opened)
