"""Programs that run in several processes at once."""

import subprocess
import sys


def together(program, count, *args):
    """Run a program in several processes that start their work at the same moment."""
    children = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(number), *map(str, args)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    outputs = [child.communicate()[0] for child in children]
    assert [child.returncode for child in children] == [0] * count
    return outputs
