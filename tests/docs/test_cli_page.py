"""Every command of docs/cli.md runs as it stands there, in the order of the page."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

import click
import pytest
from processes import Project
from servers import free_port
from waiting import until

from flaskiq.cli import flaskiq

PAGE = (Path(__file__).parents[2] / "docs/cli.md").read_text()

FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)

FOREGROUND = {
    "flaskiq worker start": " ready.",
    "flaskiq worker start --queue critical,default --concurrency 4 --loglevel debug": " ready.",
    "flaskiq worker start --processes 2 --threads 5": " ready.",
    "flaskiq worker start -P threads -c 8 -E --without-gossip": " ready.",
    "flaskiq monitor": "QUEUE ",
    "flaskiq dev": " ready.",
    "flaskiq demo": "The first jobs are there",
    "flaskiq beat": "beat: Starting...",
    "flaskiq flower": "http://127.0.0.1:",
}
"""What runs until Ctrl-C, and what it prints when it is there."""


class Block(NamedTuple):
    """One fenced block; ``info`` is what is behind its fence."""

    line: int
    info: str
    text: str


def blocks() -> list[Block]:
    """Return the blocks of the page."""
    return [
        Block(PAGE.count("\n", 0, match.start()) + 1, match[1], match[2])
        for match in FENCE.finditer(PAGE)
    ]


class Shell:
    """One bash for the whole page, so that a variable of one block is there in the next."""

    def __init__(self, project: Project) -> None:
        self._folder = project.folder
        self._log = self._folder / "shell.log"
        path = f"{Path(sys.executable).parent}:{project.environ()['PATH']}"
        with self._log.open("w") as output:
            self._process = subprocess.Popen(
                ["bash", "-euo", "pipefail"],
                cwd=self._folder,
                env=project.environ(PATH=path),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        self._pipe: IO[bytes] = self._process.stdin

    def run(self, block: Block) -> str:
        """Run a block and return what it printed; fail if one of its commands fails."""
        file, over = self._folder / f"line-{block.line}.sh", f"-- line {block.line} is over --"
        file.write_text(block.text)
        before = len(self._log.read_text())
        self._pipe.write(f"set -x; source {file} < /dev/null; set +x; echo '{over}'\n".encode())
        self._pipe.flush()

        def is_over() -> bool:
            printed = self._log.read_text()[before:]
            assert self._process.poll() is None or f"\n{over}" in printed, f"{block}\n{printed}"
            return f"\n{over}" in printed

        until(is_over, f"{block}\n{self._log.read_text()[before:]}", timeout=300)
        return self._log.read_text()[before:]

    def end(self) -> None:
        """End it."""
        with suppress(BrokenPipeError):
            self._pipe.close()
        self._process.kill()
        self._process.wait()


def start(project: Project, line: str) -> str:
    """Run a program until it is there, interrupt it, and return what it printed.

    It listens on ports that are free here.
    """
    words = line.split()
    both = ("--port", "--flower-port")
    ports = {"dev": both, "demo": both, "flower": ("--port",)}
    words += [f"{option}={free_port()}" for option in ports.get(words[1], ())]
    program = project.start(*words)
    program.wait_for(FOREGROUND[line])
    program.send(signal.SIGINT)
    assert program.wait() in (0, 130), program.output
    assert "Traceback" not in program.output
    return program.output


def check_output(block: Block, printed: str) -> None:
    """Compare the head of an example, or its first word, with what was printed."""
    head = block.text.split("\n")[0].split()
    heads = [line.split() for line in printed.splitlines()]
    assert head in heads or head[0] == "id", f"line {block.line} of the page\n{printed}"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_command_runs_in_the_order_of_the_page(project: Project) -> None:
    shell, printed = Shell(project), ""
    try:
        for block in blocks():
            if block.info == "python":
                project.write(block.text.splitlines()[0].removeprefix("# "), block.text)
            elif block.text.strip() in FOREGROUND:
                printed = start(project, block.text.strip())
            elif block.info == "sh":
                printed = shell.run(block)
            elif block.info == "" and printed:
                check_output(block, printed)
    finally:
        shell.end()
        kill_workers(project)


def kill_workers(project: Project) -> None:
    """End the workers of the page that a failed test may have left in the background."""
    done = project.start("flaskiq", "worker", "stop", "--timeout", "20")
    done.wait(60)


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
    typed = "".join(block.text for block in blocks() if block.info == "sh")
    missing = [
        command
        for command in commands(flaskiq, "flaskiq")
        if f"{command} " not in typed.replace("\n", " ")
    ]
    assert missing == []
