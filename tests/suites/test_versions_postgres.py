"""PostgreSQL passes the suite of artifact versions."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from flowkit.metastore.postgres import open_reader, open_writer
from flowkit.testing.metadata import Metadata, OpenMetadata
from flowkit.testing.versions import VersionSuite

pytestmark = pytest.mark.postgres


class TestPostgresVersions(VersionSuite):
    @pytest.fixture
    def open_metadata(self, postgres_url: str, tmp_path: Path) -> Iterator[OpenMetadata]:
        with ExitStack() as opened:

            def connect() -> Metadata:
                writer = opened.enter_context(closing(open_writer(postgres_url, tmp_path)))
                reader = opened.enter_context(closing(open_reader(postgres_url, tmp_path)))
                return Metadata(writer, reader)

            yield connect
