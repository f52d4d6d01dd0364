"""Every command of docs/cli.md runs as it stands there, in the order of the page."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from page import Block, Terminal, blocks
from processes import Project

from flaskiq.cli import flaskiq


def check_output(block: Block, printed: str) -> None:
    """Compare the head of an example, or its first word, with what was printed.

    One that begins with ``flaskiq`` is none of an output, but of commands for a scaler.
    """
    head = block.code.split("\n")[0].split()
    heads = [line.split() for line in printed.splitlines()]
    assert head in heads or head[0] in ("id", "flaskiq"), f"{block}\n{printed}"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_command_runs_in_the_order_of_the_page(project: Project) -> None:
    terminal, printed = Terminal(project), ""
    try:
        for block in blocks("cli.md"):
            if block.file:
                project.write(block.file, block.code)
            elif block.info == "sh":
                printed = terminal.type(block)
            elif block.info == "" and printed:
                check_output(block, printed)
    finally:
        terminal.end()


def commands(group: click.Group, path: str) -> Iterator[str]:
    """Yield every command below a group, as it is typed."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            if command.invoke_without_command:
                yield f"{path} {name}"
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}"


def test_every_command_is_on_the_page() -> None:
    typed = "".join(block.code for block in blocks("cli.md") if block.info == "sh")
    missing = [
        command
        for command in commands(flaskiq, "flaskiq")
        if f"{command} " not in typed.replace("\n", " ")
    ]
    assert missing == []
