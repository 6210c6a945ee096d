"""The pairs of metadata and content stores on which flows are run in tests."""

import hashlib
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from tests.servers.s3 import Place

PAIRS = ("sqlite-local", "postgres-local", "postgres-s3")
"""What a team may use; the first one is what everybody has without a setting."""

SEED = os.environ.get("STORAGE_SEED", "1")
"""Chooses the cases of slices and samples."""

SAMPLE = int(os.environ.get("STORAGE_SAMPLE", "0"))
"""How many cases of each pair are kept, if not all."""

SLICE = 4
"""How many cases of each shared pair belong to the usual tests."""


@dataclass(frozen=True)
class Storage:
    """Where a test has its metadata and blobs.

    Attributes:
        name: One of the pairs.
        variables: What the environment of a command says about it.
        lose: Deletes a blob, by its digest, where it is not in the directory of the store.
    """

    name: str = PAIRS[0]
    variables: Mapping[str, str] = field(default_factory=dict)
    lose: Callable[[str], None] = lambda digest: None

    def location(self, directory: str) -> str:
        """Return what `flowkit.metadata` takes for it, for a store's directory."""
        return self.variables.get("FLOWKIT_METADATA", directory)


@pytest.fixture
def storage(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Storage:
    """An empty storage of a pair, which this process uses too."""
    metadata, blobs = getattr(request, "param", PAIRS[0]).split("-")
    variables: dict[str, str] = {}
    lose = Storage.lose
    if metadata == "postgres":
        variables["FLOWKIT_METADATA"] = request.getfixturevalue("postgres_url")
    if blobs == "s3":
        place: Place = request.getfixturevalue("s3_place")
        variables |= place.environment

        def lose(digest: str) -> None:
            place.store().delete([digest])

    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Storage(f"{metadata}-{blobs}", variables, lose)


def on_each_pair(metafunc: pytest.Metafunc) -> None:
    """Let a test run once on each pair."""
    others = (pytest.param(pair, marks=pytest.mark.shared) for pair in PAIRS[1:])
    metafunc.parametrize("storage", [PAIRS[0], *others], indirect=True)


def choose(config: pytest.Config, items: list[pytest.Item], ours: Sequence[pytest.Item]) -> None:
    """Mark all but a slice of the cases on shared pairs as slow; drop all but a sample of each.

    Args:
        config: Told what is dropped.
        items: All tests, changed in place.
        ours: Those that `on_each_pair` has made.
    """
    dropped = set()
    for pair in PAIRS:
        cases = sorted((item for item in ours if pair_of(item) == pair), key=_rank)
        if pair != PAIRS[0]:
            quick = [item for item in cases if not item.get_closest_marker("slow")]
            for item in quick[SLICE:]:
                item.add_marker(pytest.mark.slow)
        if SAMPLE:
            dropped.update(cases[SAMPLE:])
    if dropped:
        items[:] = [item for item in items if item not in dropped]
        config.hook.pytest_deselected(items=sorted(dropped, key=lambda item: item.nodeid))


def pair_of(item: pytest.Item) -> str:
    """Return the pair that a test runs on; "" is none."""
    callspec = getattr(item, "callspec", None)
    return "" if callspec is None else str(callspec.params.get("storage", ""))


def _rank(item: pytest.Item) -> str:
    return hashlib.sha256(f"{SEED} {item.nodeid}".encode()).hexdigest()
