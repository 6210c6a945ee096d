"""What one function's bytecode does: its operations, its constants, the names it reaches for.

Line numbers, comments, docstrings and unused constants leave no trace in it.
"""

import dis
import sys
from dataclasses import dataclass, field
from types import CodeType

_EXTENDED = dis.EXTENDED_ARG
_NAMES = frozenset(dis.hasname)
_CONSTANTS = frozenset(dis.hasconst)
_CACHE = dis.opmap.get("CACHE", -1)
_GLOBALS = frozenset(dis.opmap[name] for name in ("LOAD_GLOBAL", "LOAD_NAME"))
_ATTRIBUTES = frozenset(
    dis.opmap[name] for name in ("LOAD_ATTR", "LOAD_METHOD") if name in dis.opmap
)
_IMPORT = dis.opmap["IMPORT_NAME"]
_IMPORT_FROM = dis.opmap["IMPORT_FROM"]
# The low bits of some arguments are flags.
_FLAGS = (
    {"LOAD_GLOBAL": 1}
    if sys.version_info < (3, 12)
    else {"LOAD_GLOBAL": 1, "LOAD_ATTR": 1, "LOAD_SUPER_ATTR": 2}
)
_SHIFTS = {dis.opmap[name]: bits for name, bits in _FLAGS.items()}


@dataclass(frozen=True, slots=True)
class Reach:
    """A global name and the attributes taken from it in one go: ``helpers.clean`` is two names.

    ``offset`` is the place in the bytecode, for its line.
    """

    names: tuple[str, ...]
    offset: int


@dataclass(slots=True)
class Scanned:
    """One code object without those nested in it.

    Attributes:
        operations: The bytecode with the positions of constants blanked out.
        constants: The constants that it uses, in order; nested code objects are among them.
        reaches: Its uses of global names.
        attributes: Names of attributes taken from anything else than a global name.
        imports: Modules that it imports, with the level of relative imports.
    """

    operations: bytes = b""
    constants: list[object] = field(default_factory=list)
    reaches: list[Reach] = field(default_factory=list)
    attributes: set[str] = field(default_factory=set)
    imports: list[tuple[str, int]] = field(default_factory=list)


def scan(code: CodeType) -> Scanned:  # noqa: C901 - one branch per kind of operation
    """Read one code object."""
    found = Scanned()
    operations = bytearray(code.co_code)
    chain: tuple[str, ...] = ()
    began = extended = 0
    for at in range(0, len(operations), 2):
        operation = operations[at]
        if operation == _CACHE:
            continue
        argument = operations[at + 1] | extended
        extended = argument << 8 if operation == _EXTENDED else 0
        if operation == _EXTENDED:
            continue
        if operation in _ATTRIBUTES and chain:
            chain = (*chain, _name(code, operation, argument))
            continue
        if chain:
            found.reaches.append(Reach(chain, began))
            chain = ()
        if operation in _CONSTANTS:
            operations[at + 1] = 0
            found.constants.append(code.co_consts[argument])
        elif operation in _GLOBALS:
            chain, began = (_name(code, operation, argument),), at
        elif operation == _IMPORT:
            level = found.constants[-2] if len(found.constants) > 1 else 0
            found.imports.append((code.co_names[argument], level if type(level) is int else 0))
        elif operation in _NAMES:
            found.attributes.add(_name(code, operation, argument))
    if chain:
        found.reaches.append(Reach(chain, began))
    found.operations = bytes(operations)
    return found


def line_at(code: CodeType, offset: int) -> int:
    """Return the line of an operation."""
    line = code.co_firstlineno
    for start, end, number in code.co_lines():
        if start <= offset < end and number is not None:
            line = number
    return line


def _name(code: CodeType, operation: int, argument: int) -> str:
    return code.co_names[argument >> _SHIFTS.get(operation, 0)]
