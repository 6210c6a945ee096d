"""Checking a store: that it can be written and read, and is set up to lose nothing."""

import os
from collections.abc import Iterator

from flowkit.exceptions import FlowkitError
from flowkit.model.findings import Finding
from flowkit.ports.blobs import BlobStore, SupportsProbe
from flowkit.ports.upkeep import MetadataUpkeep


def check_blobs(store: BlobStore) -> Iterator[Finding]:
    """Write a small blob, read it back, delete it, and yield what that showed."""
    if isinstance(store, SupportsProbe):
        try:
            yield Finding("service", store.probe())
        except FlowkitError as error:
            yield failure("service", error)
            return
    data = b"flowkit store check " + os.urandom(16).hex().encode()
    try:
        digest = store.put(data)
        is_listed = store.exists([digest]) == {digest}
        is_same = bytes(store.get(digest)) == data
        store.delete([digest])
    except FlowkitError as error:
        yield failure("blobs", error)
        return
    if is_listed and is_same:
        yield Finding("blobs", "a blob was written, read back and deleted")
    else:
        yield Finding("blobs", "a blob did not read back as it was written", "error", exit_code=5)


def check_metadata(upkeep: MetadataUpkeep) -> Iterator[Finding]:
    """Yield what the check of a metadata store finds; its errors are findings too."""
    try:
        yield from upkeep.check()
    except FlowkitError as error:
        yield failure("metadata", error)


def failure(subject: str, error: FlowkitError) -> Finding:
    """Return the finding that an error is."""
    return Finding(subject, str(error), "error", error.exit_code)
