"""Checking a store: each kind of damage is found, and sound stores are called sound."""

import os
from pathlib import Path

import pytest

from flowkit.upkeep.fsck import Check

DAMAGES = {
    "flipped": lambda stored: stored[:-1] + bytes([stored[-1] ^ 1]),
    "header flipped": lambda stored: bytes([stored[0] ^ 1]) + stored[1:],
    "truncated": lambda stored: stored[: len(stored) // 2],
    "emptied": lambda _: b"",
    "longer": lambda stored: stored + b"\0",
}


def checked(shop, *, with_data=True):
    found = list(Check(shop.blobs, shop.store, shop.roots()).run(with_data=with_data))
    return [defect for defect in found if defect.is_damage]


def path_of(shop, digest):
    return Path(shop.home, "objects", digest[:2], digest)


def rewrite(path, data):
    os.chmod(path, 0o600)
    path.write_bytes(data)


def value_of(shop, manifest):
    """The digest of the one blob beside the manifest."""
    return next(iter(shop.store.blobs_of(manifest) - {manifest}))


def test_a_sound_store_has_no_defects_and_not_one_byte_changes(shop):
    shop.run(x=shop.value("a"))
    before = shop.tree()
    found = list(Check(shop.blobs, shop.store, shop.roots()).run(with_data=True))

    assert found == []
    assert shop.tree() == before


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
@pytest.mark.parametrize("which", ["value", "manifest"])
def test_damaged_blobs_are_found_named_and_quarantined(shop, damage, which):
    manifest = shop.run(x=shop.value("a"))
    digest = manifest if which == "manifest" else value_of(shop, manifest)
    path = path_of(shop, digest)
    rewrite(path, damage(path.read_bytes()))
    found = checked(shop)

    assert [(d.kind, d.digest, d.needed_by) for d in found] == [("damaged", digest, ("Train/1",))]
    assert not path.exists()
    assert os.listdir(shop.home / "quarantine")[0].startswith(digest)


def test_swapped_blobs_are_both_found(shop):
    first = value_of(shop, shop.run(x=shop.value("a")))
    second = value_of(shop, shop.run("Other", x=shop.value("b")))
    contents = [path_of(shop, digest).read_bytes() for digest in (first, second)]
    rewrite(path_of(shop, first), contents[1])
    rewrite(path_of(shop, second), contents[0])

    assert {(d.kind, d.digest) for d in checked(shop)} == {("damaged", first), ("damaged", second)}


@pytest.mark.parametrize("with_data", [False, True])
@pytest.mark.parametrize("which", ["value", "manifest"])
def test_missing_blobs_are_found_also_without_reading_the_data(shop, which, with_data):
    manifest = shop.run(x=shop.value("a"))
    digest = manifest if which == "manifest" else value_of(shop, manifest)
    shop.blobs.delete([digest])
    found = checked(shop, with_data=with_data)

    assert [(d.kind, d.digest, d.needed_by) for d in found] == [("missing", digest, ("Train/1",))]


def test_a_version_s_missing_value_is_found(shop):
    manifest = shop.run(publish="model", x=shop.value("a"))
    digest = value_of(shop, manifest)
    shop.blobs.delete([digest])

    assert checked(shop)[0].needed_by == ("Train/1", "artifact model@1")


def test_orphans_are_listed_and_are_no_damage(shop):
    shop.run(x=1)
    orphan = shop.blobs.put(b"nobody needs this")
    found = list(Check(shop.blobs, shop.store, shop.roots()).run())

    assert [(d.kind, d.digest, d.is_damage) for d in found] == [("orphan", orphan, False)]
