"""What each command says of itself."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from flaskiq.cli import flaskiq

COMMANDS = (
    "queues", "scheduled", "retries", "dead", "jobs", "processes", "stats", "monitor",
    "metrics", "purge",
)  # fmt: skip


def paths(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every command below a group."""
    for name, command in group.commands.items():
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from paths(command, (*path, name))


@pytest.mark.parametrize(
    "path", [path for path in paths(flaskiq) if path[0] in COMMANDS], ids=" ".join
)
def test_help_has_an_example(path: tuple[str, ...]) -> None:
    done = CliRunner().invoke(flaskiq, [*path, "--help"])
    assert done.exit_code == 0
    lines = [line.strip() for line in done.output.splitlines()]
    typed = [line for line in lines if line.removeprefix("id=$(").startswith("flaskiq ")]
    assert typed, done.output
    assert all(line.removeprefix("id=$(").split()[1] == path[0] for line in typed)


def test_the_lists_of_commands_are_not_cut_off() -> None:
    for path in ((), *((name,) for name in COMMANDS)):
        output = CliRunner().invoke(flaskiq, [*path, "--help"]).output
        listed = output.partition("\nCommands:\n")[2].splitlines()
        # The others are written elsewhere.
        mine = [line for line in listed if path or line.split()[0] in COMMANDS]
        assert [line for line in mine if line.endswith("...")] == []
