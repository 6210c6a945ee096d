"""No module keeps state: what is mutable is made, owned and passed by somebody."""

import ast
from collections.abc import Iterator

MUTABLE_LITERALS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MUTABLE_CALLS = {
    "list", "dict", "set", "bytearray", "defaultdict", "deque", "Counter", "OrderedDict",
    "WeakKeyDictionary", "WeakValueDictionary", "WeakSet",
}  # fmt: skip
MUTATORS = {
    "add", "append", "clear", "discard", "extend", "insert", "pop", "popitem", "remove", "reverse",
    "setdefault", "sort", "update",
}  # fmt: skip


def is_mutable(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call):
        function = value.func
        name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        return name in MUTABLE_CALLS
    return isinstance(value, MUTABLE_LITERALS)


def mutable_names(module: ast.Module) -> dict[str, int]:
    """Module-level names that hold something mutable, with their lines."""
    found: dict[str, int] = {}
    for statement in module.body:
        if isinstance(statement, ast.Assign):
            targets: list[ast.expr] = statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets = [statement.target]
        else:
            continue
        if is_mutable(statement.value):
            found |= {
                target.id: statement.lineno for target in targets if isinstance(target, ast.Name)
            }
    found.pop("__all__", None)
    return found


def mutations(module: ast.Module) -> Iterator[tuple[str, int]]:
    """Names that are changed in place anywhere in the module, with the lines."""
    for node in ast.walk(module):
        match node:
            case ast.Subscript(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                yield name, node.lineno
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method)):
                if method in MUTATORS:
                    yield name, node.lineno
            case ast.AugAssign(target=ast.Name(id=name)):
                yield name, node.lineno


def test_module_level_names_that_hold_something_mutable_are_constants(modules):
    offences = [
        f"{path}:{line} {name}"
        for path, module in modules.items()
        for name, line in mutable_names(module).items()
        if not name.isupper()
    ]

    assert offences == []


def test_constants_are_never_changed(modules):
    offences = [
        f"{path}:{line} {name}"
        for path, module in modules.items()
        for name, line in mutations(module)
        if name in mutable_names(module)
    ]

    assert offences == []


def test_nothing_is_declared_global(modules):
    offences = [
        f"{path}:{node.lineno} {', '.join(node.names)}"
        for path, module in modules.items()
        for node in ast.walk(module)
        if isinstance(node, ast.Global)
    ]

    assert offences == []
