import functools
import sys
from typing import Any

import pytest

from flowkit.authoring.definition import read_definition
from flowkit.authoring.steps import StepDef, step
from flowkit.exceptions import DefinitionError
from flowkit.graph.graph import NodeType, Tail
from flowkit.graph.parse import parse_step
from flowkit.graph.sources import Sources


def parsed(flow, name="start"):
    return parse_step(flow.steps[name], Sources())


@pytest.mark.parametrize(
    ("tail", "kind", "targets"),
    [
        ("self.next(self.a)", NodeType.LINEAR, ("a",)),
        ("self.next(self.b, self.a, self.c)", NodeType.SPLIT, ("b", "a", "c")),
        ('self.next(self.a, foreach="xs")', NodeType.FOREACH, ("a",)),
        ("self.next(self.a, foreach=xs)", NodeType.FOREACH, ("a",)),
        ("self.next(self.a, num_parallel=self.n * 2)", NodeType.FOREACH, ("a",)),
        ('self.next({"x": self.a, 2: self.b}, condition="kind")', NodeType.SWITCH, ("a", "b")),
        ('self.next({"x": self.a, 2: self.a}, condition="kind")', NodeType.SWITCH, ("a",)),
    ],
)
def test_the_last_statement_gives_type_and_targets(steps, tail, kind, targets):
    node = parsed(steps(start=tail))

    assert (node.tail, node.type, node.targets) == (Tail.VALID, kind, targets)


@pytest.mark.parametrize(
    "tail",
    [
        "self.next()",
        "self.next(self.a, self.a)",
        "self.next(self.a, self.b, foreach='xs')",
        "self.next(self.a, self.b, num_parallel=2)",
        "self.next(self.a, foreach='xs', num_parallel=2)",
        "self.next(self.a, foreach='xs', condition='c')",
        "self.next(self.a, foreach=3)",
        "self.next(self.a, foreach=None)",
        "self.next(self.a, unknown=3)",
        "self.next(self.a, **options)",
        "self.next(*targets)",
        "self.next('a')",
        "self.next(a)",
        "self.next(other.a)",
        "self.next(self.a.b)",
        "self.next(self.a())",
        "self.next({key: self.a, 'y': self.b}, condition='c')",
        "self.next({'x': self.a, 'y': 'b'}, condition='c')",
        "self.next({'x': self.a, **more}, condition='c')",
        "self.next({None: self.a, 'y': self.b}, condition='c')",
        "self.next({b'x': self.a, 'y': self.b}, condition='c')",
        "self.next({(1, 2): self.a, 'y': self.b}, condition='c')",
        "self.next({~1: self.a, 'y': self.b}, condition='c')",
        "self.next({other.config.key: self.a, 'y': self.b}, condition='c')",
        "self.next({'x': self.a, 'y': self.b}, foreach='c')",
        "self.next({'x': self.a}, {'y': self.b}, condition='c')",
        "self.next(a, condition='c')",
        "self.next({'x': self.a, 'y': self.b}, self.c)",
    ],
)
def test_other_calls_of_next_are_invalid(steps, tail):
    node = parsed(steps(start=tail))

    assert (node.tail, node.targets) == (Tail.INVALID, ())


@pytest.mark.parametrize(
    "tail",
    [
        "",
        "'only a docstring'",
        "if True: self.next(self.a)",
        "with open('f'): self.next(self.a)",
        "return self.next(self.a)",
        "x = self.next(self.a)",
        "next(self.a)",
        "other.next(self.a)",
        "self.go.next(self.a)",
        "self.next",
        "self.next(self.a); self.x = 1",
    ],
)
def test_any_other_last_statement_is_no_transition(steps, tail):
    assert parsed(steps(start=tail)).tail is Tail.MISSING


def test_only_the_last_statement_counts(steps):
    node = parsed(steps(start="self.next(self.a); self.next(self.b)"))

    assert node.targets == ("b",)


def test_foreach_knows_the_variable_when_it_is_a_literal(steps):
    literal = parsed(steps(start="self.next(self.a, foreach='xs')"))
    computed = parsed(steps(start="self.next(self.a, foreach=f'x{1}')"))

    assert (literal.foreach, literal.has_num_parallel) == ("xs", False)
    assert (computed.foreach, computed.has_num_parallel) == (None, False)


def test_num_parallel_is_a_foreach_without_a_variable(steps):
    node = parsed(steps(start="self.next(self.a, num_parallel=4)"))

    assert (node.type, node.foreach, node.has_num_parallel) == (NodeType.FOREACH, None, True)


def test_cases_may_be_constants_and_entries_of_configs(steps):
    cases = '{"x": self.a, -1: self.b, 2.5: self.c, True: self.d, self.config.key: self.e}'
    node = parsed(steps(start=f"self.next({cases}, condition='kind')"))

    assert node.condition == "kind"
    assert node.cases == {"x": "a", -1: "b", 2.5: "c", True: "d", "config:config.key": "e"}
    assert node.targets == ("a", "b", "c", "d", "e")


def test_a_switch_without_dict_or_condition_is_still_a_switch(steps):
    no_condition = parsed(steps(start="self.next({'x': self.a, 'y': self.b})"))
    no_literal = parsed(steps(start="self.next({'x': self.a, 'y': self.b}, condition=c)"))
    no_dict = parsed(steps(start="self.next(self.a, condition='c')"))

    assert (no_condition.type, no_condition.condition) == (NodeType.SWITCH, None)
    assert (no_literal.type, no_literal.condition) == (NodeType.SWITCH, None)
    assert (no_dict.type, no_dict.cases) == (NodeType.SWITCH, {})


def test_the_number_of_arguments_makes_a_join(flow):
    read = flow("""
        @step
        def one(self): self.next(self.two)
        @step
        def two(self, anything): self.next(self.three)
        @step
        def three(self, a, b, /): pass
        @step
        def none(): self.next(self.two)
    """)
    nodes = [parsed(read, name) for name in ("one", "two", "three", "none")]

    assert [node.num_args for node in nodes] == [1, 2, 3, 0]
    assert [node.is_join for node in nodes] == [False, True, False, False]
    assert nodes[1].type is NodeType.JOIN
    assert nodes[3].targets == ("two",)


def test_self_may_have_another_name(flow):
    read = flow("""
        @step
        def start(me): me.next(me.a)
    """)

    assert parsed(read).targets == ("a",)


def test_lines_file_doc_and_decorators_are_known(flow, tmp_path):
    read = flow('''
        @parallel()
        @step
        def start(self):
            """First line.

            Second paragraph.
            """
            x = [
                1,
            ]
            self.next(
                self.a,
            )
    ''')
    node = parsed(read)

    assert (node.line, node.tail_line) == (12, 20)
    assert node.file == str(tmp_path / "flow_file.py")
    assert node.doc == "First line.\n\nSecond paragraph."
    assert (node.decorators, node.is_parallel) == (("parallel",), True)


def test_text_in_the_first_column_does_not_confuse(flow_file):
    read = flow_file(
        "from flowkit.authoring.steps import step\n"
        "class F:\n"
        "        @step\n"
        "        def start(self):\n"
        '            self.sql = """\n'
        "select 1\n"
        '"""\n'
        "            # a comment \\\n"
        "            self.next(self.end)\n"
    )

    assert parsed(read).targets == ("end",)


def test_decorators_that_keep_the_wrapped_function_are_looked_through(flow_file):
    read = flow_file("""
import functools
from flowkit.authoring.steps import step

def logged(function):
    @functools.wraps(function)
    def wrapper(*args):
        return function(*args)
    return wrapper

class F:
    @logged
    @step
    def start(self):
        self.next(self.end)

    @step
    @logged
    def end(self):
        pass
""")

    assert parsed(read).targets == ("end",)
    assert parsed(read, "end").line == 19


def test_steps_of_base_classes_come_from_their_own_files(flow_file, tmp_path, monkeypatch):
    (tmp_path / "mixin_for_graph.py").write_text(
        "from flowkit.authoring.steps import step\n"
        "class Mixin:\n"
        "    @step\n"
        "    def start(self):\n"
        "        self.next(self.end)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    read = flow_file("""
from mixin_for_graph import Mixin
from flowkit.authoring.steps import step
class F(Mixin):
    @step
    def end(self): pass
""")
    del sys.modules["mixin_for_graph"]
    node = parsed(read)

    assert (node.file, node.line) == (str(tmp_path / "mixin_for_graph.py"), 4)
    assert parsed(read, "end").file == str(tmp_path / "flow_file.py")


def test_two_methods_of_one_name_are_told_apart(flow_file):
    read = flow_file("""
from flowkit.authoring.steps import step
class Other:
    @step
    def start(self): self.next(self.wrong)
class F:
    @step
    def start(self): self.next(self.right)
""")

    assert parsed(read).targets == ("right",)


def test_a_doubtful_escape_does_not_warn_again(flow_file):
    source = (
        "from flowkit.authoring.steps import step\nclass F:\n  @step\n  def start(self): '\\d'\n"
    )
    with pytest.warns(DeprecationWarning if sys.version_info < (3, 12) else SyntaxWarning):
        read = flow_file(source)

    assert parsed(read).tail is Tail.MISSING


def test_a_missing_source_says_which_step_and_what_to_do():
    namespace: dict[str, Any] = {"step": step}
    exec("class F:\n  @step\n  def start(self): pass", namespace)
    read = read_definition(namespace["F"], object)

    with pytest.raises(DefinitionError, match=r"step 'start'.*not available.*define the flow in a"):
        parsed(read)


@pytest.mark.parametrize("text", ["\n\n\nclass F: pass\ndef other(): pass\n", "this is no Python"])
def test_a_file_that_has_changed_since_is_noticed(steps, tmp_path, text):
    read = steps(start="pass")
    (tmp_path / "flow_file.py").write_text(text)

    with pytest.raises(DefinitionError, match="step 'start'"):
        parsed(read)


def test_a_step_must_be_written_with_def(flow):
    read = flow("start = step(lambda self: None)")
    partial = functools.partial(print)

    with pytest.raises(DefinitionError, match=r"step 'start'.*def"):
        parsed(read)
    with pytest.raises(DefinitionError, match=r"step 'start'.*def"):
        parse_step(StepDef("start", partial), Sources())


def test_a_file_is_read_once_for_all_steps(steps, tmp_path):
    read = steps(start="self.next(self.end)", end="")
    sources = Sources()
    parse_step(read.steps["start"], sources)
    (tmp_path / "flow_file.py").unlink()

    assert parse_step(read.steps["end"], sources).tail is Tail.MISSING
