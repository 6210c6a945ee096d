import os

from flowkit.client.code import RunCode

FILES = {"flow.py": "print('flow')\n", "lib/helper.py": "x = 1\n"}


def code(files=None):
    return RunCode(files or FILES, {"file": "/somewhere/flow.py"})


def test_the_flow_file_is_told_from_the_others():
    assert code().script_name == "flow.py"
    assert code().flowspec == "print('flow')\n"
    assert code().path == "/somewhere/flow.py"


def test_the_tarball_has_every_file():
    archive = code().tarball

    assert sorted(archive.getnames()) == ["flow.py", "lib/helper.py"]
    assert archive.extractfile("lib/helper.py").read() == b"x = 1\n"


def test_extract_writes_the_files_into_a_directory_that_goes_away():
    with (
        code().extract() as directory,
        open(os.path.join(directory, "lib", "helper.py")) as file,
    ):
        assert file.read() == "x = 1\n"

    assert not os.path.exists(directory)


def test_extract_never_leaves_its_directory(tmp_path):
    with code({"../evil.py": "", "/etc/evil.py": "", "good.py": ""}).extract() as directory:
        assert os.listdir(directory) == ["good.py"]
