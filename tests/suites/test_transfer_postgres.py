"""PostgreSQL passes the suite of copying runs."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import pytest

from flowkit.metastore import postgres
from flowkit.metastore.incoming import SqlRunSink
from flowkit.metastore.outgoing import SqlRunSource
from flowkit.metastore.removal import SqlRunRemover
from flowkit.metastore.sweeping import SqlCollector, SqlInventory
from flowkit.testing.transfer import OpenStore, TransferStore, TransferSuite

pytestmark = pytest.mark.postgres


class TestPostgresTransfer(TransferSuite):
    @pytest.fixture
    def open_store(self, postgres_url: str, tmp_path: Path) -> Iterator[OpenStore]:
        (schema,) = (part for part in postgres_url.split("%3D") if part.startswith("test_"))
        with ExitStack() as opened, psycopg.connect(postgres_url, autocommit=True) as admin:

            def connect(name: str) -> TransferStore:
                admin.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}_{name}".encode())
                url, locks = f"{postgres_url}_{name}", tmp_path / name
                store = TransferStore(
                    postgres.open_writer(url, locks),
                    postgres.open_reader(url, locks),
                    SqlRunSource(*postgres.snapshots(url, locks)),
                    SqlRunSink(*postgres.transactions(url, locks)),
                    SqlInventory(*postgres.snapshots(url, locks)),
                    SqlCollector(*postgres.transactions(url, locks)),
                    SqlRunRemover(*postgres.transactions(url, locks)),
                )
                for one in store:
                    opened.enter_context(closing(one))
                return store

            yield connect
            opened.close()
            admin.execute("SET client_min_messages = warning")
            for name in "abc":
                admin.execute(f"DROP SCHEMA IF EXISTS {schema}_{name} CASCADE".encode())
