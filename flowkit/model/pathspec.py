"""Names and pathspecs: which strings may name a flow, run, step, task, artifact or tag."""

import re
import unicodedata
from dataclasses import dataclass

from flowkit.exceptions import InvalidNameError, InvalidPathspecError, TaggingError

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_RUN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}")
_TASK_ID = re.compile(r"[0-9]{1,18}")
_FORMS = ("Flow", "Flow/run", "Flow/run/step", "Flow/run/step/task", "Flow/run/step/task/artifact")
MAX_TAG_LENGTH = 500
MAX_ARTIFACT_NAME = 128


@dataclass(frozen=True, slots=True)
class Pathspec:
    """The address of a flow, run, step, task or artifact; parts that are not given are None."""

    flow: str
    run: str | None = None
    step: str | None = None
    task: int | None = None
    artifact: str | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The given parts as strings."""
        every = (self.flow, self.run, self.step, self.task, self.artifact)
        return tuple(str(part) for part in every if part is not None)

    def __str__(self) -> str:
        return "/".join(self.parts)


def parse_pathspec(text: str, length: int | None = None) -> Pathspec:
    """Parse ``Flow[/run[/step[/task[/artifact]]]]``.

    Args:
        text: The pathspec.
        length: How many parts there must be, 1 to 5; None accepts any.

    Raises:
        InvalidPathspecError: It has another number of parts, or a part that can't be a name.
    """
    parts = text.split("/")
    if not 1 <= len(parts) <= len(_FORMS) or (length is not None and len(parts) != length):
        expected = _FORMS[length - 1] if length else _FORMS[-1]
        raise InvalidPathspecError(f"invalid pathspec {text!r}: expected the form '{expected}'")
    flow, run, step, task, artifact = [*parts, None, None, None, None][:5]
    try:
        return Pathspec(
            check_identifier(flow or ""),
            None if run is None else check_run_id(run),
            None if step is None else check_identifier(step),
            None if task is None else check_task_id(task),
            None if artifact is None else check_artifact(artifact),
        )
    except InvalidNameError as error:
        raise InvalidPathspecError(f"invalid pathspec {text!r}: {error.message}") from None


def check_identifier(name: str) -> str:
    """Return the name of a flow, step or parameter, or raise `InvalidNameError`."""
    if not _IDENTIFIER.fullmatch(name):
        raise InvalidNameError(
            f"{name!r} is not a valid name: use letters, digits and _, at most 128, no digit first"
        )
    return name


def check_run_id(name: str) -> str:
    """Return the run id, or raise `InvalidNameError`."""
    if not _RUN_ID.fullmatch(name):
        raise InvalidNameError(
            f"{name!r} is not a valid run id: use letters, digits and . _ : @ + -, at most 128"
        )
    return name


def check_task_id(name: str) -> int:
    """Return the task id as a number, or raise `InvalidNameError`."""
    if not _TASK_ID.fullmatch(name):
        raise InvalidNameError(f"{name!r} is not a valid task id: task ids are numbers")
    return int(name)


def check_artifact(name: str) -> str:
    """Return the artifact's name, or raise `InvalidNameError`.

    Any Python identifier in NFKC form is one: Python itself normalises attribute names, so two
    spellings would be one attribute.
    """
    is_name = name.isidentifier() and unicodedata.normalize("NFKC", name) == name
    if not is_name or len(name) > MAX_ARTIFACT_NAME:
        raise InvalidNameError(
            f"{name!r} is not a valid artifact name: use a Python identifier of at most "
            f"{MAX_ARTIFACT_NAME} characters"
        )
    return name


def check_tag(tag: str | bytes) -> str:
    """Return the tag as NFC text, or raise `TaggingError`."""
    if isinstance(tag, bytes):
        try:
            tag = tag.decode("utf-8")
        except UnicodeDecodeError:
            raise TaggingError(f"tag {tag!r} is not UTF-8") from None
    tag = unicodedata.normalize("NFC", tag)
    if not tag or len(tag) > MAX_TAG_LENGTH:
        raise TaggingError(f"a tag must have 1 to {MAX_TAG_LENGTH} characters, not {len(tag)}")
    if not tag.isprintable():
        raise TaggingError(f"tag {tag!r} has characters that can't be printed")
    return tag
