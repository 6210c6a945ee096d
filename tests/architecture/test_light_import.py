"""Start-up is a feature: ``import flowkit`` loads the facade and what it stands on, no more."""

import subprocess
import sys
from textwrap import dedent

# The parts of the standard library that everyone pays for; whatever these bring along is paid too.
STANDARD = (
    "ast", "collections.abc", "contextlib", "contextvars", "copy", "dataclasses", "enum",
    "functools", "importlib", "inspect", "itertools", "json", "keyword", "operator", "os", "random",
    "re", "sys", "textwrap", "types", "typing", "unicodedata", "weakref",
)  # fmt: skip
OWN = {
    "flowkit", "flowkit.authoring", "flowkit.enums", "flowkit.exceptions", "flowkit.model",
    "flowkit.plugins", "flowkit.ports", "flowkit.types",
}  # fmt: skip
HEAVY = {
    "asyncio", "boto3", "click", "cloudpickle", "importlib.metadata", "logging", "lz4",
    "multiprocessing", "numpy", "pandas", "psycopg", "ray", "rich", "shutil", "socket", "sqlite3",
    "subprocess", "tempfile", "uuid",
}  # fmt: skip


def loaded_by(code: str) -> set[str]:
    outcome = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(outcome.stdout.split())


def test_importing_flowkit_loads_nothing_but_the_allow_list():
    standard = loaded_by("import " + ", ".join(STANDARD))
    extra = loaded_by("import flowkit") - standard
    # A package of the house is allowed with all of its modules.
    foreign = {name for name in extra if ".".join(name.split(".")[:2]) not in OWN}

    assert foreign == set()


def test_the_allow_list_lets_nothing_heavy_in():
    assert loaded_by("import " + ", ".join(STANDARD)) & HEAVY == set()


def test_a_task_imports_nothing_that_its_fork_server_could_have_imported_once(tmp_path):
    flow = """
    import atexit, os, sys
    import numpy
    from flowkit import FlowSpec, step

    forks = []
    os.register_at_fork(after_in_child=lambda: forks.append(set(sys.modules)))

    def tell():
        atexit.register(lambda: print("imported", sorted(set(sys.modules) - forks[-1])))

    class Forked(FlowSpec):
        @step
        def start(self):
            tell()
            self.array = numpy.arange(100_000)
            self.text = "a" * 100_000
            self.numbers = list(range(50_000))
            self.next(self.end)

        @step
        def end(self):
            tell()
            self.total = self.array.sum() + len(self.text) + sum(self.numbers)

    if __name__ == "__main__":
        Forked()
    """
    file = tmp_path / "forked.py"
    file.write_text(dedent(flow), encoding="utf-8")

    outcome = subprocess.run(
        [sys.executable, str(file), "run"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )

    lines = [line for line in outcome.stdout.splitlines() if "imported" in line]
    assert [line.partition("imported ")[2] for line in lines] == ["[]", "[]"]
