"""Included files: what may be included, and what a run keeps of them."""

import os

import pytest

from flowkit.authoring.configs import Config
from flowkit.authoring.flowspec import FlowSpec, definition
from flowkit.authoring.includefile import LARGEST, IncludeFile
from flowkit.authoring.parameters import ParameterContext, parameter_values
from flowkit.exceptions import ParameterError, UsageError


@pytest.fixture
def told():
    return []


@pytest.fixture
def read(told):
    """A function that returns the values of parameters, as at the start of a run."""

    def values(given=None, **parameters):
        return parameter_values(
            parameters, given or {}, lambda name: ParameterContext("F", "ada", name, told.append)
        )

    return values


def test_a_run_keeps_the_content_and_says_so(read, told, tmp_path):
    path = tmp_path / "words.txt"
    path.write_bytes("é b".encode())

    got = read(
        {"text": path, "raw": str(path), "words": str(path)},
        text=IncludeFile("text"),
        raw=IncludeFile("raw", is_text=False),
        latin=IncludeFile("latin", encoding="latin-1", default=str(path)),
        words=IncludeFile("words", parser=str.split),
        upper=IncludeFile("upper", parser="builtins.len", default=lambda _: str(path)),
        nothing=IncludeFile("nothing"),
    )

    assert got == {
        "text": "é b",
        "raw": "é b".encode(),
        "latin": "Ã© b",
        "words": ["é", "b"],
        "upper": 3,
        "nothing": None,
    }
    assert told == [f"Including file {path} of size 4B"] * 5


def test_a_required_file_that_is_not_given_is_a_usage_error(read):
    with pytest.raises(UsageError, match="missing option '--data'"):
        read(data=IncludeFile("data", required=True))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("nowhere", "'nowhere': No such file or directory"),
        ("s3://bucket/key", "s3://bucket/key is not a local file"),
        (".", "is not a regular file"),
        (os.devnull, "is not a regular file"),
        ("nul\0", "embedded null byte"),
        (5, "takes the path of a file, not 5"),
    ],
)
def test_what_is_no_regular_local_file_is_refused(path, message):
    with pytest.raises(ParameterError, match=message):
        IncludeFile("data").parse(path)


def test_a_file_that_is_too_large_is_refused_without_reading_it(tmp_path):
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(LARGEST + 1)

    with pytest.raises(ParameterError, match=f"{LARGEST + 1} bytes"):
        IncludeFile("data").parse(str(path))


def test_a_file_that_can_not_be_decoded_or_parsed_names_its_parameter(read, tmp_path):
    path = tmp_path / "f"
    path.write_bytes(b"\xff")

    with pytest.raises(ParameterError, match=r"parameter 'data': file .* UnicodeDecodeError"):
        read({"data": str(path)}, data=IncludeFile("data"))
    with pytest.raises(ParameterError, match=r"parameter 'data': .* NotFoundError"):
        read({"data": str(path)}, data=IncludeFile("data", is_text=False, parser="json.nope"))


def test_its_attributes_may_come_from_configs():
    class Flow(FlowSpec):
        cfg = Config("cfg")
        data = IncludeFile("data", help=cfg.help, default=cfg.path)

    data = definition(Flow, {"cfg": {"help": "words", "path": "w.txt"}}).parameters["data"]

    assert (type(data), data.default, data.help) == (IncludeFile, "w.txt", "words")
    assert data.type_name == "path"
