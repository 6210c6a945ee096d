"""PostgreSQL passes the suite of metadata stores."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from flowkit.metastore.postgres import open_reader, open_writer
from flowkit.testing.metadata import Metadata, MetadataSuite, OpenMetadata

pytestmark = pytest.mark.postgres


class TestPostgresMetadata(MetadataSuite):
    @pytest.fixture
    def open_metadata(self, postgres_url: str, tmp_path: Path) -> Iterator[OpenMetadata]:
        with ExitStack() as opened:

            def connect() -> Metadata:
                writer = opened.enter_context(closing(open_writer(postgres_url, tmp_path)))
                reader = opened.enter_context(closing(open_reader(postgres_url, tmp_path)))
                return Metadata(writer, reader)

            yield connect
