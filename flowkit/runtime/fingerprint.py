"""The fingerprint of a step's code: everything of the user's own that it can reach, part by part.

Objects are looked at, never called. A part is a function, class, constant or module of the user's,
or the version of an installed package; parts name each other, so cycles need no care, and two
fingerprints can be compared part by part to say what has changed.
"""

import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from typing import Any

from flowkit.authoring.config_values import LazyValue
from flowkit.authoring.flowdef import FlowDef
from flowkit.authoring.parameters import Parameter
from flowkit.authoring.steps import is_step
from flowkit.content.canonical import canonical_digest
from flowkit.content.hashing import digest_of
from flowkit.model.traces import Hazard
from flowkit.runtime.bytecode import Reach, line_at, scan
from flowkit.runtime.codeparts import (
    MISSING,
    NOT_CODE,
    NOW,
    Content,
    Part,
    classes_in,
    hazard_of,
    member,
    parts_of,
    pickled,
    state_of,
    texts_in,
)
from flowkit.runtime.projectcode import is_own_module, package_version, source_digests


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The code that a step reaches.

    Attributes:
        parts: Name of each part, such as ``function helpers.clean``, to a digest.
        hazards: Where it looks at what no trace can record: the clock, the environment.
        unresolved: What could not be looked into, in words.
    """

    parts: Mapping[str, str]
    hazards: tuple[Hazard, ...] = ()
    unresolved: tuple[str, ...] = ()


class Fingerprints:
    """Fingerprints of one flow's steps; what several steps reach is read once.

    Args:
        flow: The flow.
        main_module: The name under which ``__main__`` can be imported; stands for it in names.
    """

    def __init__(self, flow: FlowDef, main_module: str = "__main__") -> None:
        self._flow = flow
        self._main_module = main_module
        self._parts: dict[str, Part] = {}
        self._labels: dict[int, str] = {}
        self._kept: list[object] = []  # what has a label must not be freed: ids would be reused
        self._constants: dict[str, tuple[object, str]] = {}
        self._own: dict[str, bool] = {}
        self._methods: Mapping[str, list[object]] | None = None

    def step(self, name: str) -> Fingerprint:
        """Return the fingerprint of a step: its function, and the decorators around it."""
        step = self._flow.steps[name]
        roots = [self._function(step.function)]
        for decorator in step.decorators:
            kind = type(decorator)
            if is_own_module(sys.modules.get(kind.__module__)) or "wrap" in vars(kind):
                roots.append(self._named(f"decorator {kind.__qualname__}", decorator))
        return self._collected(roots)

    def of_class(self, qualified: str) -> str:
        """Return a digest of a class of the user's, "" when the name stands for something else.

        Args:
            qualified: Module and name, as refs have it.
        """
        module_name, _, name = qualified.rpartition(".")
        module = sys.modules.get(module_name)
        kind = getattr(module, name, None)
        if not isinstance(kind, type) or not is_own_module(module):
            return ""
        parts = self._collected([self._class(kind)]).parts
        return digest_of(repr(sorted(parts.items())).encode())

    # --- what belongs together --------------------------------------------------------------------

    def _collected(self, roots: Iterable[str]) -> Fingerprint:
        """Follow the parts from these on."""
        found: dict[str, str] = {}
        hazards: dict[Hazard, None] = {}
        unresolved: dict[str, None] = {}
        pending = list(roots)
        while pending:
            label = pending.pop()
            if label in found:
                continue
            part = self._parts[label]
            found[label] = part.digest
            hazards.update(dict.fromkeys(part.hazards))
            unresolved.update(dict.fromkeys(part.unresolved))
            pending.extend(part.uses)
        return Fingerprint(dict(sorted(found.items())), tuple(hazards), tuple(unresolved))

    # --- parts ------------------------------------------------------------------------------------

    def _function(self, function: Any) -> str:
        label = self._labels.get(id(function))
        if label is not None:
            return label
        label, part = self._new("function", function.__module__, function.__qualname__, function)
        content = Content(part)
        self._code(content, function.__code__, function)
        for default in (function.__defaults__, function.__kwdefaults__):
            self._value(content, default)
        for name, cell in zip(
            function.__code__.co_freevars, function.__closure__ or (), strict=True
        ):
            content.add(name)
            try:
                self._value(content, cell.cell_contents)
            except ValueError:
                content.add("an empty cell")
        wrapped = getattr(function, "__wrapped__", None)
        if wrapped is not None:
            self._value(content, wrapped)
        content.close()
        return label

    def _class(self, kind: type) -> str:
        label = self._labels.get(id(kind))
        if label is not None:
            return label
        label, part = self._new("class", kind.__module__, kind.__qualname__, kind)
        content = Content(part)
        for base in kind.__bases__:
            self._value(content, base)
        for name, value in sorted(vars(kind).items()):
            if name in NOT_CODE:
                continue
            if name == "__annotations__":
                value = [f"{key}: {note!s}" for key, note in value.items()]  # noqa: PLW2901
            content.add(name)
            self._value(content, value)
        content.close()
        return label

    def _named(self, label: str, value: object) -> str:
        """Return the part of a constant or another value with a name."""
        part = Part()
        content = Content(part)
        self._value(content, value)
        content.close()
        return self._kept_as(label, part)

    def _package(self, module: str) -> str | None:
        """Return the part of an installed package; None for what comes with Python."""
        top = module.partition(".")[0]
        label = f"package {top}"
        if label not in self._parts:
            version = package_version(top)
            if not version or top in sys.stdlib_module_names:
                return None
            self._parts[label] = Part(digest_of(version.encode()))
        return label

    def _source(self, name: str) -> list[str]:
        """Return the parts of a module that is imported when the step runs."""
        labels = [
            self._kept_as(f"module {module}", Part(digest))
            for module, digest in source_digests(name)
        ]
        package = None if labels else self._package(name)
        return labels if package is None else [package]

    def _new(self, word: str, module: str | None, name: str, of: object) -> tuple[str, Part]:
        module = self._main_module if module == "__main__" else module
        label = self._kept_as(f"{word} {module}.{name}", Part())
        self._labels[id(of)] = label
        self._kept.append(of)
        return label, self._parts[label]

    def _kept_as(self, label: str, part: Part) -> str:
        free, number = label, 1
        while free in self._parts:
            if part.digest and self._parts[free] == part:
                return free
            number += 1
            free = f"{label} ({number})"
        self._parts[free] = part
        return free

    # --- bytecode ---------------------------------------------------------------------------------

    def _code(self, content: Content, code: CodeType, function: FunctionType) -> None:
        found = scan(code)
        content.add(found.operations)
        content.add(code.co_exceptiontable)
        content.add((code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount))
        content.add((code.co_flags, code.co_names, code.co_varnames, code.co_freevars))
        strings: list[str] = []
        for constant in found.constants:
            if isinstance(constant, CodeType):
                self._code(content, constant, function)
            else:
                self._value(content, constant)
                strings.extend(texts_in(constant))
        for reach in found.reaches:
            self._reach(content, code, function, reach)
        for name in sorted({*found.attributes, *strings}):
            self._attribute(content, name, is_text=name not in found.attributes)
        for name, level in found.imports:
            self._import(content, code, function, "." * level + name)

    def _reach(
        self, content: Content, code: CodeType, function: FunctionType, reach: Reach
    ) -> None:
        """Resolve a global name, and what is taken from it while that is a module."""
        first, *rest = reach.names
        value = function.__globals__.get(first, MISSING)
        if value is MISSING:
            return  # a builtin, or nothing: the name is part of the code
        path, owner = first, function.__module__
        while isinstance(value, ModuleType) and rest:
            owner = value.__name__
            if not self._is_own(owner):
                content.use(self._package(owner))
            path = rest.pop(0)
            taken = vars(value).get(path, MISSING)
            taken = sys.modules.get(f"{owner}.{path}", MISSING) if taken is MISSING else taken
            if taken is MISSING:
                content.part.unresolved.append(f"{owner}.{path}")
                return
            value = taken
        kind = hazard_of(value, rest)
        if kind:
            line = line_at(code, reach.offset)
            what = ".".join(reach.names)
            content.part.hazards.append(Hazard(kind, what, f"{code.co_filename}:{line}"))
        for name in rest:
            self._attribute(content, name)
        self._refer(content, owner, path, value)

    def _refer(self, content: Content, owner: str, name: str, value: object) -> None:
        """Use a global value: a part of its own unless it is code, which is one anyway."""
        if isinstance(value, FunctionType | type | ModuleType | BuiltinFunctionType):
            self._value(content, value)
            return
        if not self._is_own(owner):
            content.use(self._package(owner))
            return
        owner = self._main_module if owner == "__main__" else owner
        key = f"constant {owner}.{name}"
        known = self._constants.get(key)
        if known is None or known[0] is not value:
            known = self._constants[key] = (value, self._named(key, value))
        content.use(known[1])

    def _attribute(self, content: Content, name: str, *, is_text: bool = False) -> None:
        """Use what an attribute of this name may be: the flow's own, or a method of any class.

        A text that names a method of the flow may be on its way to ``getattr``.
        """
        value = member(self._flow.cls, name)
        if value is not MISSING:
            is_read = isinstance(value, Parameter | LazyValue) or is_step(value)
            if is_read or (is_text and not callable(value)):
                return
            if callable(value) or hasattr(value, "__get__"):
                self._value(content, value)
            else:
                label = self._named(f"constant {self._flow.name}.{name}", value)
                content.use(label)
        elif not is_text:
            for method in self._method_index().get(name, ()):
                self._value(content, method)

    def _method_index(self) -> Mapping[str, list[object]]:
        """Return the methods of all classes of the user's by name: who knows what an object is."""
        if self._methods is None:
            found: dict[str, list[object]] = {}
            for module in list(sys.modules.values()):
                if self._is_own(getattr(module, "__name__", None)):
                    for kind in classes_in(module):
                        for name, value in vars(kind).items():
                            if isinstance(value, FunctionType | property | classmethod):
                                found.setdefault(name, []).append(value)
            self._methods = found
        return self._methods

    def _import(self, content: Content, code: CodeType, function: FunctionType, name: str) -> None:
        if name.startswith("."):
            package = function.__globals__.get("__package__") or ""
            level = len(name) - len(name.lstrip("."))
            parts = package.split(".")
            kept = ".".join(parts[: len(parts) - level + 1])
            name = f"{kept}.{name.lstrip('.')}".strip(".")
        for label in self._source(name):
            content.use(label)
        module = sys.modules.get(name)
        for taken in code.co_names if name in ("time", "os", "datetime") else ():
            value = getattr(module, taken, MISSING)
            kind = hazard_of(value, [n for n in code.co_names if n in NOW])
            if kind:
                where = f"{code.co_filename}:{code.co_firstlineno}"
                content.part.hazards.append(Hazard(kind, f"{name}.{taken}", where))

    # --- values -----------------------------------------------------------------------------------

    def _value(self, content: Content, value: object) -> None:
        plain = canonical_digest(value)
        if plain is not None:
            content.add(plain)
        elif isinstance(value, FunctionType):
            content.use(self._function(value) if self._is_own(value.__module__) else None)
            self._foreign(content, value.__module__, value.__qualname__)
        elif isinstance(value, type):
            content.use(self._class(value) if self._is_own(value.__module__) else None)
            self._foreign(content, value.__module__, value.__qualname__)
        elif isinstance(value, ModuleType):
            self._module(content, value)
        elif isinstance(value, BuiltinFunctionType):
            self._foreign(content, value.__module__, value.__qualname__)
        else:
            self._object(content, value)

    def _foreign(self, content: Content, module: str | None, name: str) -> None:
        content.add(name)
        if module is not None and not self._is_own(module):
            content.add(module)
            content.use(self._package(module))

    def _module(self, content: Content, module: ModuleType) -> None:
        """Use a module as a whole: nobody can tell what of it."""
        content.add(self._main_module if module.__name__ == "__main__" else module.__name__)
        for label in self._source(module.__name__):
            content.use(label)

    def _object(self, content: Content, value: Any) -> None:
        """Use an object: by its parts where these are known, else by what a pickle has of it."""
        kind = type(value)
        if id(value) in content.around:
            content.add("a cycle")
            return
        content.around.add(id(value))
        content.add(f"{kind.__module__}.{kind.__qualname__}")
        parts = parts_of(value)
        if parts is None and self._is_own(kind.__module__):
            content.use(self._class(kind))
            parts = list(state_of(value))
        if parts is None:
            content.use(self._package(kind.__module__))
            content.add(pickled(content.part, value))
        for part in parts or ():
            self._value(content, part)
        content.around.discard(id(value))

    def _is_own(self, module: str | None) -> bool:
        if module is None:
            return False
        if module not in self._own:
            self._own[module] = is_own_module(sys.modules.get(module))
        return self._own[module]
