"""Pickling: what goes out of band, what cloudpickle takes over, and what is said on failure."""

import enum
import functools
import io
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flowkit.exceptions import (
    ArtifactUnloadable,
    TimeoutException,
    UnpicklableArtifactException,
)
from flowkit.materializers.parcels import OUT_OF_BAND_FROM
from flowkit.materializers.pickled import PickleMaterializer
from flowkit.ports.materializer import Payload

MATERIALIZER = PickleMaterializer()


class Holder:
    """Something with attributes."""

    def __init__(self, **attributes):
        self.__dict__.update(attributes)


class Slotted:
    __slots__ = ("lock", "other")

    def __init__(self, lock):
        self.lock = lock


class Raises:
    def __init__(self, error):
        self.error = error

    def __reduce__(self):
        raise self.error


class RaisesOnLoad:
    def __reduce__(self):
        return divide, (1, 0)


def iter_nothing():
    yield from ()


def divide(a, b):
    return a / b


def back(value):
    return MATERIALIZER.load(MATERIALIZER.dump(value))


def failure_of(value):
    with pytest.raises(UnpicklableArtifactException) as caught:
        MATERIALIZER.dump(value)
    return str(caught.value)


# --- buffers --------------------------------------------------------------------------------------


def test_large_buffers_are_returned_without_a_copy():
    array = np.arange(100_000.0)
    (buffer,) = MATERIALIZER.dump({"a": array, "again": array}).buffers

    assert len(buffer) == array.nbytes
    assert np.shares_memory(np.frombuffer(buffer), array)


@pytest.mark.parametrize(("size", "count"), [(OUT_OF_BAND_FROM - 1, 0), (OUT_OF_BAND_FROM, 1)])
def test_small_buffers_stay_in_band(size, count):
    assert len(MATERIALIZER.dump(np.zeros(size, dtype=np.uint8)).buffers) == count


@pytest.mark.parametrize(
    "array",
    [
        np.arange(90_000.0).reshape(300, 300),
        np.asfortranarray(np.arange(90_000.0).reshape(300, 300)),
        np.arange(160_000.0).reshape(400, 400)[::2, ::2],
        np.arange(160_000.0)[:0],
        np.array([1, "a", None] * 40_000, dtype=object),
    ],
    ids=["c", "fortran", "strided", "empty", "objects"],
)
def test_arrays_come_back_equal_and_writable(array):
    found = back(array)

    assert np.array_equal(found, array)
    assert found.dtype == array.dtype
    assert found.flags.writeable


def test_arrays_are_writable_also_when_the_store_gives_bytes():
    payload = MATERIALIZER.dump(np.arange(100_000))
    found = MATERIALIZER.load(Payload(payload.inband, [bytes(b) for b in payload.buffers]))
    found[0] = 1


def test_read_only_arrays_come_back_read_only():
    array = np.arange(100_000)
    array.flags.writeable = False

    assert not back(array).flags.writeable


def test_a_buffer_that_is_not_contiguous_is_refused_with_a_reason():
    strided: Any = np.zeros(200_000)[::2]
    message = failure_of({"view": pickle.PickleBuffer(strided)})

    assert message.startswith("['view']: pickle.PickleBuffer")
    assert "contiguous" in message


# --- cloudpickle ----------------------------------------------------------------------------------


def test_lambdas_and_local_definitions_come_back():
    factor = 3

    class Local:
        def times(self, x):
            return factor * x

    assert back(lambda x: x * factor)(2) == 6
    assert back(Local)().times(2) == 6
    assert back([Local()])[0].times(2) == 6
    assert back(functools.partial(lambda a, b: a - b, 5))(2) == 3


def test_buffers_beside_a_lambda_are_kept_apart_once():
    payload = MATERIALIZER.dump([np.zeros(100_000), lambda: None, np.ones(100_000)])

    assert [len(buffer) for buffer in payload.buffers] == [800_000, 800_000]
    assert MATERIALIZER.load(payload)[2][0] == 1


def test_plain_values_do_not_import_cloudpickle():
    code = """
import sys
from flowkit.materializers.pickled import PickleMaterializer
m = PickleMaterializer("train")
m.load(m.dump({"a": [1, 2.0, "x"], "b": int}))
print("cloudpickle" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)

    assert done.stdout == "False\n"


# --- the flow file --------------------------------------------------------------------------------

FLOW_FILE = """
import enum, sys
from flowkit.materializers.pickled import PickleMaterializer

class Model:
    class Part:
        pass
    def method(self):
        return 7
    def __init__(self):
        self.part = Model.Part()
        self.color = Color.RED

class Color(enum.Enum):
    RED = 1

def function(x):
    return x + 1

anonymous = lambda x: function(x) * 10

def values():
    return {
        "class": Model, "nested": Model.Part, "function": function, "method": Model.method,
        "object": Model(), "bound": Model().method, "enum": Color.RED, "lambda": anonymous,
        "module": sys.modules[__name__],
    }

def dump(name):
    m = PickleMaterializer("train")
    return {key: m.dump(value).inband.hex() for key, value in values().items()}

if __name__ == "__main__":
    import json
    print(json.dumps(dump("train")))
"""


@pytest.fixture
def flow_file(tmp_path, monkeypatch):
    path = tmp_path / "train.py"
    path.write_text(FLOW_FILE)
    monkeypatch.syspath_prepend(tmp_path)
    yield path
    sys.modules.pop("train", None)


def dumped_as_main(path: Path):
    import json

    done = subprocess.run([sys.executable, path], capture_output=True, check=True, text=True)
    return {key: bytes.fromhex(text) for key, text in json.loads(done.stdout).items()}


def test_what_main_stores_another_process_loads_from_the_flow_file(flow_file):
    dumped = dumped_as_main(flow_file)
    found = {key: PickleMaterializer().load(Payload(data)) for key, data in dumped.items()}
    import train  # type: ignore[import-not-found]

    assert found["class"] is train.Model
    assert found["nested"] is train.Model.Part
    assert found["function"] is train.function
    assert found["method"] is train.Model.method
    assert found["enum"] is train.Color.RED
    assert type(found["object"]) is train.Model
    assert type(found["object"].part) is train.Model.Part
    assert found["object"].color is train.Color.RED
    assert found["bound"]() == 7
    assert found["lambda"](1) == 20
    assert found["module"] is train


def test_nothing_but_a_lambda_mentions_main(flow_file):
    dumped = dumped_as_main(flow_file)

    assert [key for key, data in dumped.items() if b"__main__" in data] == ["lambda"]


def test_the_bytes_are_the_same_when_the_file_is_a_module(flow_file):
    as_main = dumped_as_main(flow_file)
    import train

    as_module = {key: bytes.fromhex(text) for key, text in train.dump("train").items()}
    assert {key for key in as_main if as_main[key] == as_module[key]} == as_main.keys() - {"lambda"}


def test_without_a_main_module_names_are_left_alone():
    assert pickle.loads(MATERIALIZER.dump(Holder).inband) is Holder
    assert PickleMaterializer("train").dump(enum.Enum).buffers == ()


# --- failures -------------------------------------------------------------------------------------

LOCK = threading.Lock()


@pytest.mark.parametrize(
    ("value", "start"),
    [
        (LOCK, "_thread.lock can't be pickled"),
        ({"db": Holder(ok=1, conn=LOCK)}, "['db'].conn: _thread.lock can't be pickled"),
        ([1, (2, {"x": LOCK})], "[1][1]['x']: _thread.lock"),
        (Slotted(LOCK), ".lock: _thread.lock"),
        ({"a": {1: Holder(x=[LOCK])}}, "['a'][1].x[0]: _thread.lock"),
        ([Raises(ValueError("boom"))], "[0]: "),
    ],
    ids=["itself", "attribute", "sequence", "slot", "deep", "reduce"],
)
def test_the_offending_part_is_named_by_its_path(value, start):
    assert failure_of(value).startswith(start)


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        (iter_nothing(), "store list(...) of it instead"),
        (memoryview(b"x"), "store bytes(...) of it instead"),
        (threading.Lock(), "self._name, which is not stored"),
    ],
    ids=["generator", "memoryview", "lock"],
)
def test_the_remedy_is_named(value, remedy):
    assert remedy in failure_of({"a": value})


def test_an_open_file_is_refused_and_not_turned_into_its_text(tmp_path):
    (tmp_path / "file").write_text("text")
    with (tmp_path / "file").open() as file:
        message = failure_of([file])

    assert message.startswith("[0]: _io.TextIOWrapper")
    assert "store the file's path or its content instead" in message


def test_what_a_users_reduce_raises_is_told():
    assert "ValueError: boom" in failure_of({"a": Raises(ValueError("boom"))})
    assert "KeyError: 'k'" in failure_of(Raises(KeyError("k")))


def test_a_failure_in_a_loop_of_references_is_found():
    loop: dict[str, Any] = {"first": 1}
    loop["self"] = loop
    loop["last"] = [LOCK]

    assert failure_of(loop).startswith("['last'][0]: _thread.lock")


def test_deep_nesting_is_told_with_a_hint():
    value: list[Any] = []
    for _ in range(100_000):
        value = [value]

    assert "nested too deeply" in failure_of(value)
    assert "sys.setrecursionlimit" in failure_of([lambda: None, value])


def test_a_timeout_while_pickling_is_not_a_failure_of_the_value():
    with pytest.raises(TimeoutException):
        MATERIALIZER.dump(Raises(TimeoutException("too long")))
    with pytest.raises(MemoryError):
        MATERIALIZER.dump([Raises(MemoryError())])


def test_the_search_for_the_part_is_bounded():
    message = failure_of([*map(str, range(10_000)), LOCK])

    assert message.startswith("list can't be pickled")


def test_a_missing_module_is_named_when_loading():
    data = pickle.dumps(Holder).replace(__name__.encode(), b"x" * len(__name__))

    with pytest.raises(ArtifactUnloadable, match="needs the module 'xxx"):
        MATERIALIZER.load(Payload(data))


def test_a_class_that_is_gone_is_named_when_loading():
    data = pickle.dumps(io.StringIO).replace(b"StringIO", b"StrungIO")

    with pytest.raises(ArtifactUnloadable, match="StrungIO"):
        MATERIALIZER.load(Payload(data))


@pytest.mark.parametrize("data", [b"", b"garbage", b"\x80\x05.", b"\x80\x05K"])
def test_bytes_that_are_no_pickle_are_unloadable(data):
    with pytest.raises(ArtifactUnloadable):
        MATERIALIZER.load(Payload(data))


def test_what_user_code_raises_while_loading_is_told():
    with pytest.raises(ArtifactUnloadable, match="ZeroDivisionError: division by zero"):
        back(RaisesOnLoad())


def test_missing_buffers_are_unloadable():
    payload = MATERIALIZER.dump(np.zeros(100_000))

    with pytest.raises(ArtifactUnloadable):
        MATERIALIZER.load(Payload(payload.inband))


def test_everything_is_claimed():
    assert MATERIALIZER.claims(object())
