"""Which strings may name artifacts, versions and aliases."""

import pytest

from flowkit.exceptions import InvalidNameError
from flowkit.model.artifactnames import check_alias, check_name, check_version, number_of


@pytest.mark.parametrize("name", ["customer_data", "a b", "pipeline.step-out", "é", "x" * 200])
def test_names_are_words_of_200_characters_at_most(name):
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", " ", " a", "a/b", "a@b", "a:b", "a\nb", "x" * 201, 7, None])
def test_other_names_are_refused(name):
    with pytest.raises(InvalidNameError):
        check_name(name)


def test_two_spellings_of_a_name_are_one():
    assert check_name("e\u0301") == "\u00e9"


@pytest.mark.parametrize("version", ["v1.0", "7", "2024-07-31", "2024_07_31", "3.5", "final"])
def test_versions_are_numbers_from_1_or_words(version):
    assert check_version(version) == version


def test_a_version_may_be_given_as_a_number():
    assert check_version(7) == "7"


@pytest.mark.parametrize(
    "version",
    ["", " ", "07", "0", "-1", "+1", "latest", "LATEST", "highest", "a/b", "a@b", 0, 1.5,
     True, "x" * 201],
)  # fmt: skip
def test_versions_that_could_be_taken_for_others_are_refused(version):
    with pytest.raises(InvalidNameError):
        check_version(version)


@pytest.mark.parametrize(("version", "number"), [("7", 7), ("v1", None), ("3.5", None)])
def test_a_version_stands_for_a_number_or_not(version, number):
    assert number_of(version) == number


@pytest.mark.parametrize("alias", ["7", "07", "latest", "a/b", "a@b", "a:b", ""])
def test_an_alias_does_not_look_like_a_version(alias):
    with pytest.raises(InvalidNameError):
        check_alias(alias)
    assert check_alias("production") == "production"
