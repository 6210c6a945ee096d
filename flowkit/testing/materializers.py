"""The suite that every materializer passes: one test per sentence of the port's contract.

Subclass `MaterializerSuite`, give it a ``materializer`` fixture and samples of what it claims and
what it does not, and say when two values are equal.
"""

# ruff: noqa: S101 - a suite is made of assertions

import pickle
from collections.abc import Mapping
from typing import Any

import pytest

from flowkit.content.hashing import digest_of
from flowkit.exceptions import ArtifactUnloadable
from flowkit.ports.materializer import Materializer, Payload, SupportsContentDigest

NO_PAYLOADS = (b"", b"\0", b"nonsense", b"\xff" * 64)


class MaterializerSuite:
    """Tests of the contract of `Materializer`; each name repeats a sentence of it."""

    @pytest.fixture
    def materializer(self) -> Materializer:
        """Return the materializer."""
        raise NotImplementedError

    def samples(self) -> Mapping[str, Any]:
        """Return values that it claims, by a word on each; anew at each call."""
        raise NotImplementedError

    def others(self) -> Mapping[str, Any]:
        """Return values of its types that it must not claim, as it could not give them back."""
        return {}

    def are_equal(self, one: Any, other: Any) -> bool:
        """Tell whether two values are equal in all that their users can see."""
        return bool(one == other)

    def test_it_claims_what_it_gives_back(self, materializer: Materializer) -> None:
        """And nothing else."""
        assert [n for n, value in self.samples().items() if not materializer.claims(value)] == []
        assert [n for n, value in self.others().items() if materializer.claims(value)] == []

    def test_values_come_back_equal_and_of_the_same_type(self, materializer: Materializer) -> None:
        """From buffers as a store returns them: read-only ones too."""
        for name, value in self.samples().items():
            payload = stored(materializer.dump(value))

            loaded = materializer.load(payload)

            assert type(loaded) is type(value), name
            assert self.are_equal(loaded, value), name

    def test_a_loaded_value_is_stored_as_the_same_bytes(self, materializer: Materializer) -> None:
        """So that what only passes through a task is not stored again."""
        for name, value in self.samples().items():
            payload = stored(materializer.dump(value))

            assert stored(materializer.dump(materializer.load(payload))) == payload, name

    def test_storing_does_not_change_the_value(self, materializer: Materializer) -> None:
        """Compared with one that was never stored."""
        fresh = self.samples()
        for name, value in self.samples().items():
            materializer.dump(value)

            assert self.are_equal(value, fresh[name]), name

    def test_equal_values_have_equal_content(self, materializer: Materializer) -> None:
        """If it compares contents at all."""
        if not isinstance(materializer, SupportsContentDigest):
            return
        again = self.samples()
        for name, value in self.samples().items():
            assert content_of(materializer, value) == content_of(materializer, again[name]), name

    def test_different_values_have_different_content(self, materializer: Materializer) -> None:
        """No two samples are equal, so no two digests may be."""
        if not isinstance(materializer, SupportsContentDigest):
            return
        contents = [content_of(materializer, value) for value in self.samples().values()]
        known = [content for content in contents if content is not None]

        assert len(set(known)) == len(known)

    @pytest.mark.parametrize("inband", NO_PAYLOADS, ids=repr)
    def test_what_is_no_payload_is_unloadable(
        self, materializer: Materializer, inband: bytes
    ) -> None:
        """Whatever the bytes are."""
        with pytest.raises(ArtifactUnloadable):
            materializer.load(Payload(inband))

    def test_a_missing_buffer_is_unloadable(self, materializer: Materializer) -> None:
        """The store verifies buffers, but which there are is up to the materializer."""
        for value in self.samples().values():
            payload = stored(materializer.dump(value))
            if payload.buffers:
                with pytest.raises(ArtifactUnloadable):
                    materializer.load(Payload(payload.inband, payload.buffers[:-1]))

    def test_its_payload_can_be_sent_to_another_process(self, materializer: Materializer) -> None:
        """Its in-band part is bytes, its buffers are contiguous."""
        for value in self.samples().values():
            payload = materializer.dump(value)

            assert type(payload.inband) is bytes
            assert all(memoryview(buffer).contiguous for buffer in payload.buffers)
            assert pickle.loads(pickle.dumps(stored(payload))) == stored(payload)  # noqa: S301 - own


def stored(payload: Payload) -> Payload:
    """Return the payload as a store gives it back: bytes that nobody may change."""
    return Payload(payload.inband, tuple(bytes(buffer) for buffer in payload.buffers))


def content_of(materializer: Materializer, value: Any) -> str | None:
    """Return the content digest of a value, None if the materializer gives none."""
    if not isinstance(materializer, SupportsContentDigest):
        return None
    payload = materializer.dump(value)
    digests = [digest_of(buffer) for buffer in payload.buffers]
    return materializer.content_digest(value, payload, digests)
