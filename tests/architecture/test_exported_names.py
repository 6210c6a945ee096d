"""What ``flowkit`` promises is what can be imported from it."""

import flowkit


def test_the_list_of_public_names_is_sorted_and_without_duplicates():
    assert list(flowkit.__all__) == sorted(set(flowkit.__all__))


def test_every_promised_name_resolves():
    missing = [name for name in flowkit.__all__ if not hasattr(flowkit, name)]

    assert missing == []


def test_what_is_importable_is_promised():
    own = {
        name
        for name, value in vars(flowkit).items()
        if getattr(value, "__module__", "").startswith("flowkit") and not name.startswith("_")
    }

    assert own - set(flowkit.__all__) == set()


def test_dir_lists_the_lazy_names_too():
    assert set(flowkit.__all__) <= set(dir(flowkit))


def test_an_unknown_name_is_an_attribute_error_that_names_it():
    try:
        flowkit.no_such_name  # noqa: B018
    except AttributeError as error:
        message = str(error)
    else:
        message = ""

    assert "no_such_name" in message
