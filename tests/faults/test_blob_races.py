"""Many processes store equal content in one directory at the same time."""

import os
import signal

from flowkit.content.hashing import digest_of
from flowkit.stores.local import LocalBlobStore

BLOBS = [b"%d" % number * 3000 for number in range(40)] + [os.urandom(5 * 1024 * 1024)]


def fork(work):
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException as error:  # noqa: BLE001 - the child must not return into pytest
            os.write(2, repr(error).encode())
            os._exit(1)
    return pid


def test_eight_processes_storing_equal_content_store_it_once(tmp_path):
    root = tmp_path / "new" / "store"
    ready, go = os.pipe()

    def work():
        os.close(go)
        os.read(ready, 1)  # all start when the parent closes its end
        store = LocalBlobStore(root)
        assert [store.put(blob) for blob in BLOBS] == store.put_many(BLOBS)

    pids = [fork(work) for _ in range(8)]
    os.close(ready)
    os.close(go)

    assert [os.waitpid(pid, 0)[1] for pid in pids] == [0] * 8
    store = LocalBlobStore(root)
    assert dict(store.list()).keys() == {digest_of(blob) for blob in BLOBS}
    assert [bytes(store.get(digest_of(blob))) for blob in BLOBS] == BLOBS
    assert os.listdir(root / "tmp") == []


def test_what_a_killed_writer_leaves_is_never_seen(tmp_path, monkeypatch):
    store = LocalBlobStore(tmp_path)
    store.put(b"first")
    real = os.fsync

    def work():
        monkeypatch.setattr(os, "fsync", lambda _: os.kill(os.getpid(), signal.SIGKILL))
        store.put(b"second")

    assert os.WTERMSIG(os.waitpid(fork(work), 0)[1]) == signal.SIGKILL
    assert os.fsync is real
    assert len(os.listdir(tmp_path / "tmp")) == 1
    assert [digest for digest, _ in store.list()] == [digest_of(b"first")]
    assert store.exists([digest_of(b"second")]) == set()
    assert bytes(store.get(store.put(b"second"))) == b"second"
