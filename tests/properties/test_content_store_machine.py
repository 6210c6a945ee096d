"""The local store against a dictionary, under random puts, damages, deletes and readers."""

import random
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from flowkit.content.hashing import digest_of
from flowkit.exceptions import BlobCorrupted, BlobMissing
from flowkit.stores.local import LocalBlobStore

MAPPED = random.Random(1).randbytes(1_100_000)
DATAS = [b"", b"a", b"b" * 5000, bytes(range(256)) * 20, MAPPED]
numbers = st.sampled_from(range(len(DATAS)))


class StoreMachine(RuleBasedStateMachine):
    """``model`` has what must be there; ``damaged`` what must be reported once."""

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp()) / "store"
        self.store = LocalBlobStore(self.root)
        self.model = {}
        self.damaged = set()

    def teardown(self):
        shutil.rmtree(self.root.parent)

    def path(self, digest):
        return self.root / "objects" / digest[:2] / digest

    @rule(number=numbers)
    def put(self, number):
        data = DATAS[number]
        digest = self.store.put(data)
        self.model[digest] = data
        self.damaged.discard(digest)  # truncated: the header does not fit, so it is written anew

    @rule(batch=st.lists(numbers, max_size=5))
    def put_many(self, batch):
        batch = [DATAS[number] for number in batch]
        for digest, data in zip(self.store.put_many(batch), batch, strict=True):
            self.model[digest] = data
            self.damaged.discard(digest)

    @rule(number=numbers)
    def get(self, number):
        data = DATAS[number]
        digest = digest_of(data)
        if digest in self.damaged:
            with pytest.raises(BlobCorrupted):
                self.store.get(digest)
            self.damaged.discard(digest)
            del self.model[digest]
        elif digest in self.model:
            assert self.store.get(digest) == data
        else:
            with pytest.raises(BlobMissing):
                self.store.get(digest)

    @rule(number=numbers)
    def truncate(self, number):
        digest = digest_of(DATAS[number])
        if digest in self.model and digest not in self.damaged:
            whole = self.path(digest).read_bytes()
            self.path(digest).unlink()
            self.path(digest).write_bytes(whole[:-1])
            self.damaged.add(digest)

    @rule(number=numbers)
    def delete(self, number):
        digest = digest_of(DATAS[number])
        self.store.delete([digest])
        self.model.pop(digest, None)
        self.damaged.discard(digest)

    @rule()
    def open_again(self):
        self.store = LocalBlobStore(self.root)

    @invariant()
    def lists_what_is_there(self):
        assert {digest for digest, _ in self.store.list()} == self.model.keys()
        assert self.store.exists(map(digest_of, DATAS)) == self.model.keys()


StoreMachine.TestCase.settings = settings(
    derandomize=True, max_examples=25, stateful_step_count=20, deadline=None
)
TestStoreMachine = StoreMachine.TestCase
