"""Several people in one store: who may use its files, and who sees whose runs."""

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from flowkit import Flow, Flows, Run, metadata, namespace
from flowkit.exceptions import NamespaceMismatchError
from tests.flows.conftest import Program

ADA, BEN, EVE = 64101, 64102, 64103
TEAM = 64100
FLOW = """
class Shared(FlowSpec):
    broken = Parameter("broken", default=False)

    @step
    def start(self):
        self.items = list(range(6))
        self.big = bytes(range(256)) * 8000
        self.next(self.work, foreach="items")

    @step
    def work(self):
        self.y = self.input * 10
        if self.broken and current.origin_run_id is None:
            raise ValueError("broken")
        self.next(self.join)

    @step
    def join(self, inputs):
        self.total = sum(i.y for i in inputs)
        self.next(self.end)

    @step
    def end(self):
        print("total", self.total)
"""
READ = """
from flowkit import Flow, namespace
namespace(None)
for run in Flow("Shared"):
    print(run.id, sorted(run.user_tags | {t for t in run.tags if t.startswith("user:")}),
          len(run["start"].task.data.big), run["end"].task.stdout.strip())
"""


@pytest.fixture
def office():
    """A directory of a group, which everybody may enter to, and what all of them can run."""
    if os.geteuid() != 0:
        pytest.skip("only root can act as other users")
    directory = Path(tempfile.mkdtemp(prefix="flowkit-office-"))
    os.chown(directory, 0, TEAM)
    directory.chmod(0o2775)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def person(office):
    """A function that makes a person: a program whose commands run as a user of their own."""
    repository = Path(__file__).parents[2]
    paths = os.pathsep.join([str(repository), *(path for path in sys.path if os.path.isdir(path))])
    system = f"/usr/bin/python{sys.version_info.major}.{sys.version_info.minor}"

    def make(user, groups=(TEAM,), umask=0o077):
        folder = office / str(user)
        folder.mkdir()
        os.chown(folder, user, user)
        made = Program(folder, FLOW)
        made.path.chmod(0o644)
        made.process = {"user": user, "group": user, "extra_groups": groups, "umask": umask}
        made.variables = {"PYTHONPATH": paths, "HOME": str(folder)}
        made.variables |= {"FLOWKIT_USER": f"u{user}", "FLOWKIT_HOME": str(office)}
        # The interpreter of these tests may lie where only root can go.
        for made.python in (sys.executable, system):
            try:
                if made.execute([made.python, "-c", "import flowkit.cli.main, lz4"]).code == 0:
                    return made
            except PermissionError:
                continue
        return pytest.skip(f"no other user can run {sys.executable}, {system} and this flowkit")

    return make


def modes_below(home, *, but=()):
    """Return a path for each kind, mode and group that there is."""
    found = {}
    for path in (home, *home.rglob("*")):
        if path.name not in but:
            stat_ = path.lstat()
            kind = "d" if stat.S_ISDIR(stat_.st_mode) else "f"
            found[f"{kind} {stat.S_IMODE(stat_.st_mode):o}", stat_.st_gid] = str(path)
    return found


def one_message(outcome, code=6):
    """Return what a command that failed says, header lines left out."""
    assert outcome.code == code, outcome.out + outcome.err
    assert "Traceback" not in outcome.err
    lines = [line.strip() for line in outcome.err.splitlines()]
    return [line for line in lines if not line.startswith(("flowkit ", "Validating", "The graph"))]


def test_in_a_shared_store_each_reads_and_adds_runs_whatever_the_umask(person, office):
    ada, ben = person(ADA, umask=0o077), person(BEN, umask=0)
    made = ada.store("store", "init", "--shared-group")
    first = ada("run", "--tag", "first")
    second = ben("run")
    read = [who.execute([who.python, "-c", READ]) for who in (ada, ben)]

    assert (made.code, first.code, second.code) == (0, 0, 0), made.err + first.err + second.err
    assert f"shared: {office / '.flowkit'} with group {TEAM}" in made.out
    assert [outcome.out.splitlines() for outcome in read] == [
        [f"2 ['user:u{BEN}'] 2048000 total 150", f"1 ['first', 'user:u{ADA}'] 2048000 total 150"]
    ] * 2
    assert set(modes_below(office / ".flowkit")) == {
        ("d 2770", TEAM),
        ("f 660", TEAM),
        ("f 440", TEAM),
    }


def test_in_a_shared_store_one_goes_on_with_the_failed_run_of_another(person, office):
    ada, ben = person(ADA), person(BEN)
    ada.store("store", "init", "--shared-group")
    failed = ada("run", "--broken", "true", "--max-workers", "1")
    resumed = ben("resume", "--origin-run-id", "1")
    swept = ben.store("fsck", "--data")
    doctored = ben.store("doctor")

    assert (failed.code, resumed.code, swept.code) == (1, 0, 0), resumed.err + swept.out
    assert resumed.lines[-1] == "total 150"
    assert "only its owner and its group can read it" in doctored.out


def test_two_people_can_run_flows_in_a_new_shared_store_at_once(person, office):
    people = [person(ADA, umask=0o077), person(BEN, umask=0o027)]
    people[0].store("store", "init", "--shared-group")
    with people[0].started("run") as one, people[1].started("run") as other:
        said = [process.communicate() for process in (one, other)]

    assert (one.returncode, other.returncode) == (0, 0), said


def test_in_a_private_store_others_get_one_clear_message(person, office):
    ada, ben = person(ADA, umask=0), person(BEN)
    assert ada("run").code == 0
    home = office / ".flowkit"
    expected = (
        f"the store in {home} is private to user {ADA}, who can share it with a group: 'flowkit "
        "store init --shared-group'; use another store with FLOWKIT_HOME=DIRECTORY"
    )

    assert {key for key, _ in modes_below(home)} == {"d 700", "f 600", "f 400"}
    for command in (("run",), ("dump", "1/start"), ("resume",)):
        assert one_message(ben(*command))[-1] == expected
    for command in (("runs",), ("store", "info"), ("store", "init"), ("artifact", "list")):
        assert one_message(ben.store(*command))[-1] == expected
    client = ben.execute([ben.python, "-c", READ])
    assert client.err.splitlines()[-1] == f"flowkit.exceptions.StorageError: {expected}"
    assert ada("dump", "1/start").code == 0


def test_who_is_not_in_the_group_is_told_so(person, office):
    ada, eve = person(ADA), person(EVE, groups=())
    ada.store("store", "init", "--shared-group")

    message = one_message(eve("run"))[-1]

    assert message.startswith(
        f"the store in {office / '.flowkit'} is shared with group {TEAM}, and"
    )


def test_a_store_below_a_closed_directory_is_one_clear_message(person, office):
    ada, ben = person(ADA), person(BEN)
    closed = office / "closed"
    closed.mkdir(mode=0o700)

    for outcome in (ben("run", FLOWKIT_HOME=str(closed)), ben("run", FLOWKIT_HOME=f"{closed}/x")):
        message = one_message(outcome)[-1]
        assert message.startswith(f"can't look for a store in {closed}/")
        assert message.endswith(": Permission denied")
    assert ada("run").code == 0


def test_a_private_store_with_runs_can_be_shared_later(person, office):
    ada, ben = person(ADA), person(BEN)
    assert ada("run").code == 0
    assert ada.store("store", "init", "--shared-group").code == 0
    again = ben.store("store", "init", "--shared-group")
    second = ben("run")

    assert again.code == 0, again.err
    assert second.code == 0, second.err
    assert {key for key, group in modes_below(office / ".flowkit")} == {"d 2770", "f 660", "f 440"}


def test_a_group_is_given_by_name_and_has_to_have_its_owner(person, office):
    ada = person(ADA)
    unknown = ada.store("store", "init", "--shared-group", "no-such-group")
    foreign = ada.store("store", "init", "--shared-group", "root")

    assert one_message(unknown, code=2)[-1] == "there is no group 'no-such-group' on this machine"
    assert "can't share" in one_message(foreign)[-1]
    assert "group root: Operation not permitted" in one_message(foreign)[-1]
    assert ("d 700", TEAM) in modes_below(office / ".flowkit")


def test_sharing_does_not_reach_a_database_elsewhere(program, tmp_path):
    flow = program(FLOW)
    elsewhere = f"sqlite:///{tmp_path}/elsewhere.db"
    refused = flow.store("store", "init", "--shared-group", FLOWKIT_METADATA=elsewhere)

    assert one_message(refused, code=2)[-1].endswith(f"the metadata are in {tmp_path}/elsewhere.db")


def test_whatever_a_run_and_its_commands_write_is_private_whatever_the_umask(
    program, tmp_path, s3_place
):
    flow = program(FLOW)
    flow.path.chmod(0o600)
    flow.process = {"umask": 0}
    home = {"FLOWKIT_HOME": str(tmp_path / "deep" / "er")}
    places: list[Mapping[str, str]] = [{}, s3_place.environment]
    for place in places:
        told = ["--run-id-file", "id", "--runner-attribute-file", "attributes"]
        ran = flow("run", *told, **home, **place)
        dumped = flow("dump", "1/start", "--file", "dump", **home, **place)
        looked = flow.store("fsck", "--data", **home, **place)
        assert (ran.code, dumped.code, looked.code) == (0, 0, 0), ran.err + dumped.err + looked.out

    assert {"id", "attributes", "dump"} <= set(os.listdir(tmp_path))
    assert (tmp_path / "deep" / "er" / ".flowkit" / "cache").is_dir()
    assert {key for key, _ in modes_below(tmp_path)} == {"d 700", "f 600", "f 400"}


# --- namespaces -----------------------------------------------------------------------------------


@pytest.fixture
def two_people(program, tmp_path):
    """The program of a store in which two people have run a flow, one of them another one too."""
    flow = program(FLOW)
    for user in ("ada", "ben"):
        assert flow("run", "--tag", f"of_{user}", FLOWKIT_USER=user).code == 0
    other = Program(tmp_path, FLOW.replace("Shared", "Own"), "own.py")
    assert other("run", FLOWKIT_USER="ben").code == 0
    return flow


def client(user, home, code):
    """Run client code as a person, in a process of its own, and return what it prints."""
    environment = {**os.environ, "FLOWKIT_USER": user, "FLOWKIT_HOME": str(home)}
    code = f"from flowkit import *\n{code}"
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, env=environment, check=True, capture_output=True, text=True
    ).stdout.splitlines()


def test_each_person_sees_their_own_runs_and_all_in_the_global_namespace(two_people, tmp_path):
    own = 'print(*(r.id for r in Flow("Shared"))); print(*(f.id for f in Flows()))'
    latest = 'print(Flow("Shared").latest_run.id)'

    assert client("ada", tmp_path, f"{own}; {latest}") == ["1", "Shared", "1"]
    assert client("ben", tmp_path, f"{own}; {latest}") == ["2", "Own Shared", "2"]
    assert client("ada", tmp_path, f"namespace(None); {own}; {latest}") == [
        "2 1",
        "Own Shared",
        "2",
    ]
    assert client("eve", tmp_path, "print(*Flows())") == [""]


def test_what_is_in_the_namespace_of_another_is_refused_by_its_name(two_people, tmp_path):
    metadata(str(tmp_path))
    namespace("user:ada")
    for cls, pathspec in ((Flow, "Own"), (Run, "Shared/2")):
        with pytest.raises(NamespaceMismatchError):
            cls(pathspec)

    namespace("user:ben")
    assert Run("Shared/2").data.total == 150
    namespace(None)
    assert sorted(flow.id for flow in Flows()) == ["Own", "Shared"]


def test_commands_of_a_flow_take_the_latest_run_of_their_user(two_people):
    listed = [two_people("tag", "list", "--flat", FLOWKIT_USER=user).out for user in ("ada", "ben")]
    resumed = two_people("resume", "end", FLOWKIT_USER="ada")
    facts = json.loads(two_people.store("runs", "Shared", "--json").out)

    assert ["of_ada" in listed[0], "of_ben" in listed[0], "of_ben" in listed[1]] == [
        True,
        False,
        True,
    ]
    assert resumed.code == 0, resumed.err
    assert [row["user"] for row in facts] == ["ada", "ben", "ada"]
    assert two_people.read("Shared/3").origin_pathspec == "Shared/1"
