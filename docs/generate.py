"""Writes the pages that are made from the code, and the changelog's newest section.

``python docs/generate.py`` writes them; with ``--check`` it only says which ones are out of date.
"""

import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent

import click

import flowkit
from flowkit import exceptions
from flowkit.cli import storecli
from flowkit.cli.flowfile import flow_group
from flowkit.flowmodule import load_class

ROOT = Path(__file__).parents[1]
KINDS = ("added", "changed", "fixed", "removed", "security")
MADE = "<!-- made by docs/generate.py -->"


def main(arguments: list[str]) -> int:
    """Write the pages, or check them; return the exit code."""
    stale = {path: text for path, text in pages().items() if read(path) != text}
    if "--check" in arguments:
        for path in stale:
            print(f"{path.relative_to(ROOT)} is out of date: run `make docs`")
        return 1 if stale else 0
    for path, text in stale.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return 0


def pages() -> Mapping[Path, str]:
    """Return every generated page with its text."""
    reference = ROOT / "docs" / "reference"
    return {
        reference / "api.md": api_page(),
        reference / "cli.md": cli_page(),
        reference / "exceptions.md": exceptions_page(),
        ROOT / "CHANGELOG.md": changelog(),
    }


def api_page() -> str:
    """Return the names that ``flowkit`` promises, with what each is for."""
    rows = [f"| `{name}` | {summary(getattr(flowkit, name))} |" for name in flowkit.__all__]
    return page("Names to import from `flowkit`", "| name | what it is |", "|---|---|", *rows)


def exceptions_page() -> str:
    """Return the tree of exceptions and what each one means."""
    tree = dedent((exceptions.__doc__ or "").partition("::\n\n")[2]).rstrip()
    classes = [
        value
        for value in vars(exceptions).values()
        if inspect.isclass(value) and value.__module__ == exceptions.__name__
    ]
    rows = [
        f"| `{cls.__name__}` | {summary(cls)} |"
        for cls in classes
        if not cls.__name__.startswith("_")
    ]
    return page(
        "Exceptions and exit codes",
        "Every exception is importable from `flowkit.exceptions`.\n",
        f"```text\n{tree}\n```\n",
        "| exception | meaning |",
        "|---|---|",
        *rows,
    )


def cli_page() -> str:
    """Return the help of every command, as it is printed."""
    hello = load_class(str(ROOT / "examples" / "hello.py"), "Hello", "hello")
    return page(
        "Command line",
        "## A flow file\n",
        "Options of the flow itself, such as `--name` here, come from its parameters.\n",
        *help_blocks("python hello.py", flow_group(hello)),
        "## `flowkit`\n",
        *help_blocks("flowkit", storecli.group),
    )


def help_blocks(
    name: str, command: click.Command, parent: click.Context | None = None
) -> Iterator[str]:
    """Yield one block of help text for a command and for each one below it."""
    context = click.Context(command, parent, info_name=name, terminal_width=80)
    yield f"```text\n$ {context.command_path} --help\n{command.get_help(context).rstrip()}\n```\n"
    if isinstance(command, click.Group):
        for below in command.list_commands(context):
            child = command.get_command(context, below)
            if child is not None and not child.hidden:
                yield from help_blocks(below, child, context)


def changelog() -> str:
    """Return the changelog, its unreleased section made from docs/changes."""
    head, _, rest = read(ROOT / "CHANGELOG.md").partition("## [Unreleased]")
    released = rest[rest.index("\n## [") :] if "\n## [" in rest else ""
    sections = [section for kind in KINDS if (section := changes(kind))]
    return head + "\n".join(["## [Unreleased]\n", *sections]) + released


def changes(kind: str) -> str:
    """Return the section of one kind of change; "" when there is none."""
    fragments = sorted((ROOT / "docs" / "changes").glob(f"*.{kind}.md"))
    bullets = [f"- {' '.join(read(path).split())}" for path in fragments]
    return "\n".join([f"### {kind.capitalize()}\n", *bullets, ""]) if bullets else ""


def summary(thing: object) -> str:
    """Return the first paragraph of a docstring on one line, fit for a cell of a table."""
    first = (inspect.getdoc(thing) or "").partition("\n\n")[0]
    return " ".join(first.split()).replace("|", "\\|")


def page(title: str, *lines: str) -> str:
    """Return a page with its title and the note that it is generated."""
    return "\n".join([f"# {title}\n", f"{MADE}\n", *lines]).rstrip() + "\n"


def read(path: Path) -> str:
    """Return a file's text; "" when there is no such file."""
    return path.read_text(encoding="utf-8") if path.exists() else ""


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
