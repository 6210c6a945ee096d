"""Which modules are the user's own: neither Python's, nor installed, nor flowkit's."""

import ast
import importlib.machinery
import os
import sys
import sysconfig
from collections.abc import Iterator
from functools import lru_cache
from types import ModuleType

from flowkit.content.hashing import digest_of

_FLOWKIT = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
_DIRECTORIES = {sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")}
_INSTALLED = tuple(
    {path + os.sep for given in _DIRECTORIES for path in (given, os.path.realpath(given))}
)
_PARTS = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


@lru_cache(maxsize=4096)
def is_own_file(path: str) -> bool:
    """Whether a source file is the user's own."""
    if path.startswith((_FLOWKIT, *_INSTALLED)) or any(part in path for part in _PARTS):
        return False
    return not os.path.realpath(path).startswith(_INSTALLED)


def is_own_module(module: ModuleType | None) -> bool:
    """Whether a module is the user's own; one without a file is so only if it is the program."""
    if module is None:
        return False
    path = getattr(module, "__file__", None)
    if path is None:
        return module.__name__ == "__main__"
    return is_own_file(path)


def package_version(name: str) -> str:
    """Return the version of the installed package of a top-level module, "" when it has none."""
    version = getattr(sys.modules.get(name), "__version__", None)
    if isinstance(version, str):
        return version
    if name in sys.stdlib_module_names or name in ("flowkit", "__main__"):
        return ""
    from importlib import metadata  # noqa: PLC0415 - slow, and most packages say it themselves

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def source_digests(name: str) -> Iterator[tuple[str, str]]:
    """Yield name and digest of a module's source, and of the user's own modules that it imports.

    Nothing is imported. Comments, docstrings and formatting don't count. Modules that are not the
    user's own are left out.

    Args:
        name: Absolute name of the module; a trailing attribute is allowed, as in ``a.b.function``.
    """
    seen: set[str] = set()
    pending = [name]
    while pending:
        wanted = pending.pop()
        path = _find(wanted)
        if path is None or path in seen or not is_own_file(path):
            continue
        seen.add(path)
        try:
            with open(path, encoding="utf-8") as file:
                tree = ast.parse(file.read())
        except (OSError, SyntaxError, UnicodeDecodeError):
            continue
        is_package = os.path.basename(path) == "__init__.py"
        pending.extend(_imports(tree, wanted, is_package=is_package))
        yield wanted, digest_of(ast.dump(_without_docstrings(tree)).encode())


def _find(name: str) -> str | None:
    """Return the path of a module's source; of its parent's, when the last part is no module."""
    path: list[str] | None = None
    found: str | None = None
    parts = name.split(".")
    for depth in range(len(parts)):
        spec = importlib.machinery.PathFinder.find_spec(".".join(parts[: depth + 1]), path)
        if spec is None:
            return found
        if spec.origin is not None and spec.origin.endswith(".py"):
            found = spec.origin
        if spec.submodule_search_locations is None:
            return found
        path = list(spec.submodule_search_locations)
    return found


def _imports(tree: ast.AST, module: str, *, is_package: bool) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = module.split(".")
                kept = parts[: len(parts) - node.level + is_package]
                base = ".".join([*kept, *([base] if base else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _without_docstrings(tree: ast.AST) -> ast.AST:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if (
            isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and body
            and isinstance(body[0], ast.Expr)
            and isinstance(body[0].value, ast.Constant)
            and isinstance(body[0].value.value, str)
        ):
            node.body = body[1:]
    return tree
