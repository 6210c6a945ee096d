"""What a flow's process says through its pipe."""

import os
import resource
import sys

import pytest

from flowkit.programmatic.process import AttributePipe, FlowProcess


@pytest.fixture
def many_open_files():
    """Have more files open than ``select()`` can tell apart, as a notebook of long standing has."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]

    yield

    for file in files:
        os.close(file)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_the_message_arrives_however_many_files_are_open(many_open_files, tmp_path):
    pipe = AttributePipe(str(tmp_path))
    writes = f"open({pipe.path!r}, 'w').write('Hello/1')"
    process = FlowProcess(
        [sys.executable, "-c", writes], str(tmp_path), env={}, cwd=None, show_output=False
    )

    message = pipe.read(process, 20)
    pipe.close()
    process.wait()

    assert message == b"Hello/1"
