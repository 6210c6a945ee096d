"""Sessions: where the client reads, in which process and thread, and how objects travel."""

import os
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import pytest

from flowkit.client import (
    DataArtifact,
    Flow,
    Flows,
    Run,
    Step,
    Task,
    current_session,
    default_metadata,
    get_metadata,
    metadata,
    namespace,
    use_session,
)
from flowkit.exceptions import FlowkitError, NamespaceMismatchError, UsageError


@pytest.fixture
def home(library, tmp_path, monkeypatch):
    """A store with one run, found through the settings."""
    run = library.run(tags=["shared"])
    run.task(1, "end", {"x": 1})
    run.finish()
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path))
    monkeypatch.setenv("FLOWKIT_USER", "ada")
    return tmp_path


@pytest.fixture
def elsewhere(tmp_path_factory, library):
    from flowkit.client import Session

    other = type(library)(tmp_path_factory.mktemp("elsewhere") / ".flowkit")
    other.run("Elsewhere").task(1, "end", {"x": 2})
    assert isinstance(other.session(), Session)
    yield other
    other.writer.close()


def in_another_process(code, stdin=b"", **variables):
    environment = {**os.environ, **variables}
    done = subprocess.run(
        [sys.executable, "-c", code], input=stdin, capture_output=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_the_configured_store_is_read_by_default(home):
    assert Run("Train/1")["end"].task.data.x == 1
    assert get_metadata() == f"sqlite:///{home}/.flowkit/flowkit.db"
    assert current_session() is current_session()


@pytest.mark.parametrize("form", ["{}", "local@{}", "sqlite:///{}/.flowkit/flowkit.db"])
def test_another_store_can_be_read(home, elsewhere, form):
    place = elsewhere.home.parent

    assert metadata(form.format(place)) == elsewhere.location
    assert get_metadata() == elsewhere.location
    assert [flow.id for flow in Flows()] == ["Elsewhere"]
    assert default_metadata() == f"sqlite:///{home}/.flowkit/flowkit.db"
    assert [flow.id for flow in Flows()] == ["Train"]


def test_a_location_that_is_none_is_refused(home):
    with pytest.raises(UsageError):
        metadata(str(home / "nowhere"))
    assert get_metadata() == f"sqlite:///{home}/.flowkit/flowkit.db"


def test_flows_of_another_store_can_be_listed_without_switching(home, elsewhere):
    flows = Flows(_current_metadata=f"local@{elsewhere.home.parent}")

    assert [flow.id for flow in flows] == ["Elsewhere"]
    assert flows["Elsewhere"]["1"]["end"].task.data.x == 2
    assert [flow.id for flow in Flows()] == ["Train"]


def test_objects_go_on_reading_from_where_they_were_found(home, elsewhere):
    flow = Flow("Train")
    use_session(elsewhere.session())

    assert [run.pathspec for run in flow] == ["Train/1"]
    assert flow["1"]["end"].task.data.x == 1
    assert [a.data for run in flow.runs() for step in run for task in step for a in task] == [1]
    assert [a.data for task in flow["1"].parent["1"]["end"].tasks() for a in task] == [1]


def test_a_session_is_kept_for_its_location(home, elsewhere):
    location = use_session(elsewhere.session())
    first = current_session()

    default_metadata()
    metadata(location)

    assert current_session() is first


def test_a_thread_has_a_session_of_its_own(home):
    run = Run("Train/1")
    mine = current_session()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(lambda: run["end"].task.data.x).result() == 1
        theirs = pool.submit(copy_context().run, current_session).result()

    assert theirs.location == mine.location
    assert theirs is not mine


def test_a_forked_process_opens_a_session_of_its_own(home):
    code = """
import os
from flowkit.client import Run, current_session
run, session = Run("Train/1"), current_session()
pid = os.fork()
if pid == 0:
    assert current_session() is not session
    assert run["end"].task.data.x == 1
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
assert run["end"].task.data.x == 1
print("both")
"""

    assert in_another_process(code) == "both\n"


# --- pickling -------------------------------------------------------------------------------------

OBJECTS = [
    (Flow, "Train"),
    (Run, "Train/1"),
    (Step, "Train/1/end"),
    (Task, "Train/1/end/1"),
    (DataArtifact, "Train/1/end/1/x"),
]


@pytest.mark.parametrize(("kind", "pathspec"), OBJECTS, ids=str)
def test_an_object_travels_by_its_address(home, kind, pathspec):
    found = kind(pathspec)

    again = pickle.loads(pickle.dumps(found))

    assert type(again) is kind
    assert again.pathspec == pathspec
    assert len(pickle.dumps(found)) < 400


def test_an_attempt_travels_too(home):
    task = Task("Train/1/end/1", attempt=0)

    assert repr(pickle.loads(pickle.dumps(task))) == "Task('Train/1/end/1', attempt=0)"


def test_an_object_is_found_again_where_it_was_in_another_process(home, elsewhere):
    travelling = pickle.dumps([Run("Train/1"), Task("Train/1/end/1")["x"]])
    code = """
import pickle, sys
run, artifact = pickle.load(sys.stdin.buffer)
print(run.pathspec, run.data.x, artifact.data)
"""

    printed = in_another_process(
        code, travelling, FLOWKIT_HOME=str(elsewhere.home), FLOWKIT_USER="bob"
    )

    assert printed == "Train/1 1 1\n"


def test_an_object_is_found_again_in_the_namespace_where_it_was(home):
    namespace("shared")
    shared = pickle.dumps(Run("Train/1"))
    namespace("user:eve")
    unchecked = pickle.dumps(Run("Train/1", _namespace_check=False))

    assert pickle.loads(shared).pathspec == "Train/1"
    assert pickle.loads(unchecked).pathspec == "Train/1"
    pickle.loads(shared).remove_tag("shared")
    with pytest.raises(NamespaceMismatchError):
        pickle.loads(shared)


def test_what_another_version_pickled_is_refused(home):
    pickled = pickle.dumps(Run("Train/1"), protocol=0)
    changed = pickled.replace(b"V1\n", b"V99\n")

    assert changed != pickled
    with pytest.raises(FlowkitError, match="Run 'Train/1' was pickled by another version"):
        pickle.loads(changed)


# --- cost -----------------------------------------------------------------------------------------


def test_reading_one_artifact_imports_little_and_unpickles_nothing_else(home):
    code = """
import sys
from flowkit import Run
assert Run("Train/1")["end"].task.data.x == 1
heavy = {"numpy", "pandas", "asyncio", "uuid", "logging", "tempfile", "click", "cloudpickle",
         "importlib.metadata", "subprocess", "email", "http", "ssl", "concurrent.futures",
         "flowkit.runtime", "flowkit.cli.main"}
print(sorted(heavy & set(sys.modules)))
"""

    assert in_another_process(code) == "[]\n"
