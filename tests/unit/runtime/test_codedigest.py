"""The digest of a step's code changes with what it does and with nothing else."""

import pytest

from flowkit.runtime.codedigest import code_digest, is_other_code


def made(body: str, before: str = ""):
    names: dict[str, object] = {}
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    exec(f"{before}\ndef step(self):\n{lines}\n", names)
    return names["step"]


ORIGINAL = "'''Doc.'''\nself.x = [i + 1 for i in range(3)]\nreturn 'a' in {'a', 'b'}"


@pytest.mark.parametrize(
    "body",
    [
        ORIGINAL.replace("Doc.", "Another docstring."),
        ORIGINAL.replace("\nreturn", "\n# a comment\n\nreturn"),
        ORIGINAL.replace("i + 1", "i  +  1"),
    ],
)
def test_comments_docstrings_and_blanks_do_not_count(body):
    assert code_digest(made(body, before="\n\n")) == code_digest(made(ORIGINAL))


@pytest.mark.parametrize(
    "body",
    [
        ORIGINAL.replace("i + 1", "i + 2"),
        ORIGINAL.replace("self.x", "self.y"),
        ORIGINAL.replace("'b'", "'c'"),
        ORIGINAL.replace("i + 1", "i + 1.0"),
    ],
)
def test_what_the_code_does_counts(body):
    assert is_other_code(code_digest(made(body)), code_digest(made(ORIGINAL)))


def test_code_of_another_python_cannot_be_told():
    ours = code_digest(made(ORIGINAL))
    theirs = f"2.7:{'0' * 64}"

    assert not is_other_code(ours, theirs)
    assert not is_other_code(ours, "")
    assert code_digest(len) == ""
