"""SQLite passes the suite of artifact versions."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from flowkit.metastore.sqlite import open_reader, open_writer
from flowkit.testing.metadata import Metadata, OpenMetadata
from flowkit.testing.versions import VersionSuite


class TestSqliteVersions(VersionSuite):
    @pytest.fixture
    def open_metadata(self, tmp_path: Path) -> Iterator[OpenMetadata]:
        path = tmp_path / "metadata.db"
        with ExitStack() as opened:

            def connect() -> Metadata:
                writer = opened.enter_context(closing(open_writer(path)))
                return Metadata(writer, opened.enter_context(closing(open_reader(path))))

            yield connect
