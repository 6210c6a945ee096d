"""Files under the names that guides use."""

import pytest

from flowkit.io import fileio


def test_files_are_written_listed_copied_and_removed(tmp_path):
    folder = f"{tmp_path}/a/b"
    fileio.makedirs(folder)
    fileio.makedirs(folder)
    with fileio.open(f"{folder}/x.txt", "w") as file:
        file.write("ä")
    with fileio.open(f"{folder}/y.bin", "wb") as file:
        file.write(b"\0")
    fileio.copy(f"{folder}/x.txt", f"{folder}/z.txt")

    assert fileio.listdir(folder) == ["x.txt", "y.bin", "z.txt"]
    assert fileio.glob(f"{tmp_path}/**/*.txt") == [f"{folder}/x.txt", f"{folder}/z.txt"]
    assert (fileio.isdir(folder), fileio.isdir(f"{folder}/x.txt")) == (True, False)
    fileio.remove(f"{folder}/z.txt")
    assert not fileio.exists(f"{folder}/z.txt")
    with fileio.open(f"{folder}/x.txt") as file:
        assert file.read() == "ä"


def test_copying_over_a_file_has_to_be_asked_for(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)

    with pytest.raises(FileExistsError, match="exists already"):
        fileio.copy(f"{tmp_path}/a", f"{tmp_path}/b")
    fileio.copy(f"{tmp_path}/a", f"{tmp_path}/b", overwrite=True)
    assert (tmp_path / "b").read_text() == "a"
