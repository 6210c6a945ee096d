"""Every code block of the documentation runs, or says why it doesn't."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flowkit import metadata, namespace

RUN = {"python", "console"}
NOT_CODE = {"text", "json", "toml", "ini", "sql"}
ENTRY = "from flowkit.cli.main import entry; entry()"
PROGRAMS = {"python": [sys.executable], "flowkit": [sys.executable, "-c", ENTRY]}


def test_blocks_run_in_order_and_print_what_the_page_says(page_blocks, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWKIT_HOME", str(tmp_path))
    monkeypatch.setenv("FLOWKIT_USER", "reader")
    metadata(str(tmp_path))
    namespace("user:reader")
    names: dict[str, Any] = {"__name__": "page"}

    for block in page_blocks:
        if block.reason or block.language not in RUN:
            continue
        if block.language == "console":
            run_console(block)
        elif name := re.match(r"# file: (\S+)\n", block.text):
            (tmp_path / name[1]).write_text(block.text, encoding="utf-8")
        else:
            # Blank lines in front: a traceback shows the lines of the page.
            source = "\n" * (block.line - 1) + block.text
            exec(compile(source, str(block.page), "exec"), names)


def test_every_block_runs_or_says_why_not(blocks):
    undeclared = [
        f"{block} ({block.language or 'no language'})"
        for block in blocks
        if block.language not in RUN | NOT_CODE and not block.reason
    ]

    assert undeclared == []


def test_no_block_is_excused_without_need(blocks):
    excused = [str(block) for block in blocks if block.reason and block.language in NOT_CODE]

    assert excused == []


def run_console(block: Any) -> None:
    """Run each ``$`` line and look for the lines below it in what it prints, in this order."""
    commands = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    assert commands, f"{block} has no line that starts with '$ '"
    for command in commands:
        line, _, expected = command.partition("\n")
        printed = output_of(line)
        rest = iter(printed.splitlines())
        for wanted in expected.splitlines():
            if wanted.strip() in ("", "..."):
                continue
            # Looked for in what is left: `any` uses the iterator up to the line that matches.
            if not any(loose(wanted) in loose(got) for got in rest):
                pytest.fail(f"{block}: {line!r} did not print {wanted!r} but\n{printed}")


def output_of(line: str) -> str:
    """Run a command line and return what it prints on both streams."""
    program, *arguments = shlex.split(line)
    outcome = subprocess.run(
        [*PROGRAMS[program], *arguments],
        cwd=Path.cwd(),
        env={**os.environ, "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=120,
    )
    assert outcome.returncode == 0, f"{line}\n{outcome.stdout}"
    return outcome.stdout


def loose(line: str) -> str:
    """A line without what differs from run to run: dates, times, process ids, spacing."""
    line = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?", "<time>", line)
    line = re.sub(r"pid \d+", "pid <pid>", line)
    return " ".join(line.split())
