"""Metaflow's names that flowkit has not say what takes their place."""

import pytest

import flowkit
from flowkit.absent import INSTEAD


@pytest.mark.parametrize("name", sorted(INSTEAD))
def test_importing_a_name_that_flowkit_has_not_says_what_to_do_instead(name):
    with pytest.raises(ImportError, match=f"^flowkit has no '{name}': {INSTEAD[name][:20]}"):
        exec(f"from flowkit import {name}")


def test_what_flowkit_has_is_not_called_absent():
    assert set(INSTEAD) & set(flowkit.__all__) == set()


def test_any_other_name_is_simply_unknown():
    assert not hasattr(flowkit, "nonsense")
    with pytest.raises(ImportError, match="cannot import name 'nonsense' from 'flowkit'"):
        exec("from flowkit import nonsense")
