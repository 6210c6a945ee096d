"""``profile`` writes or adds up how long a block took."""

import re

import pytest

from flowkit.profiling import profile


def test_a_block_is_announced_and_its_time_written(capsys):
    with profile("load"):
        print("working")

    assert re.fullmatch(
        r"PROFILE: load starting\nworking\nPROFILE: load completed in \d+ms\n",
        capsys.readouterr().out,
    )


def test_times_of_one_label_are_added_up_in_silence(capsys):
    times = {"load": 1000}
    with profile("load", times):
        pass
    with profile("parse", times):
        pass

    assert times["load"] >= 1000
    assert set(times) == {"load", "parse"}
    assert capsys.readouterr().out == ""


def test_the_time_counts_also_when_the_block_raises():
    times: dict[str, int] = {}
    with pytest.raises(ValueError, match="broken"), profile("load", times):
        raise ValueError("broken")

    assert set(times) == {"load"}
