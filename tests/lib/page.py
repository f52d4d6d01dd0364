"""The pages of docs/: their blocks, and a terminal at which their commands are typed.

A ``python`` block whose first line is ``# path/to/file.py`` is that file of the page's project; any
other one is a script. A ``python fragment`` needs something around it. ``sh`` blocks are typed.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import pytest
from processes import Process, Project
from servers import free_port
from waiting import until

ROOT = Path(__file__).parents[2]
PAGES = {
    path.name: path.read_text() for path in (ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")))
}

FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
FILE = re.compile(r"# ([\w/]+\.py)\n")
PRINTED = re.compile(r"^print\(.*\)  # (.*)$", re.MULTILINE)

COMMANDS = ("sh", "bash")

STAYS = {
    r"flaskiq( -A \S+)? worker start(?!.*--detach)": " ready.",
    r"celery -A \S+ worker\b": " ready.",
    r"(flaskiq|celery -A \S+) beat": "beat: Starting...",
    r"(flaskiq|celery -A \S+) flower": "Visit me at ",
    r"flaskiq monitor(?!.*--once)": "QUEUE ",
    r"flaskiq metrics(?!.*--once)": "Metrics at ",
    r"flaskiq dev": " ready.",
    r"flaskiq demo": "The first jobs are there",
}
"""What runs until Ctrl-C, and what it prints when it is there."""

ASSIGNMENTS = r"(?:[A-Z_]+=\S+ )*"

PORTS = {
    " dev": ("--port", "--flower-port"),
    " demo": ("--port", "--flower-port"),
    " flower": ("--port",),
    " metrics": ("--port",),
}
"""Where what stays listens: on ports that are free here, unless the test says which."""


@dataclass(frozen=True)
class Block:
    """One fenced block of a page."""

    page: str
    line: int
    info: str
    code: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that it is, if it is one."""
        match = FILE.match(self.code) if self.info == "python" else None
        return match[1] if match else None

    @property
    def commands(self) -> list[str]:
        """Its commands, those over several lines as one, without comments."""
        lines = self.code.replace("\\\n", "").splitlines()
        return [re.split(r"\s+# ", line)[0].strip() for line in lines if line.strip()]


def blocks(page: str, section: str = "") -> list[Block]:
    """Return the blocks of a page, or of one of its sections, whatever the depth of its heading."""
    text = PAGES[page]
    start, end = 0, len(text)
    if section:
        heading = re.search(rf"^(#+) {re.escape(section)}\n", text, re.MULTILINE)
        assert heading, f"{page}: {section}"
        start = heading.start()
        following = re.compile(rf"^#{{1,{len(heading[1])}}} ", re.MULTILINE)
        after = FENCE.sub(lambda match: " " * len(match[0]), text)
        found = following.search(after, heading.end())
        end = found.start() if found else end
    return [
        Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2])
        for match in FENCE.finditer(text)
        if start <= match.start() < end
    ]


def scripts(page: str, section: str = "") -> list[Block]:
    """Return the blocks that run by themselves."""
    return [b for b in blocks(page, section) if b.info == "python" and b.file is None]


def write(project: Project, page: str, section: str = "") -> None:
    """Write the files of a page into a project."""
    files = [block for block in blocks(page, section) if block.file]
    assert len({block.file for block in files}) == len(files), "a file is shown twice"
    for block in files:
        project.write(str(block.file), block.code)


def run(project: Project, script: Block, before: str = "") -> None:
    """Run a block in a process of its own and compare what it prints with what it says."""
    done = project.python_result(f"{before}\n{script.code}")
    assert done.returncode == 0, f"{script}\n{done.stderr}"
    expected = PRINTED.findall(script.code)
    if expected:
        assert done.stdout.splitlines() == expected, str(script)


def needs_a_cluster(command: str) -> bool:
    """Whether a command needs what no test has: a cluster of Kubernetes, or Docker."""
    return command.startswith(("kubectl ", "docker "))


class Shell:
    """One bash, so that a variable of one block is there in the next."""

    def __init__(self, project: Project) -> None:
        self._folder = project.folder
        self._log = self._folder / "shell.log"
        self._blocks = 0
        with self._log.open("w") as output:
            self._process = subprocess.Popen(
                ["bash", "-euo", "pipefail"],
                cwd=self._folder,
                env=environ(project),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        assert self._process.stdin is not None
        self._pipe: IO[bytes] = self._process.stdin

    def run(self, code: str, what: str) -> str:
        """Run a piece of a page and return what it printed; fail if one of its commands fails."""
        self._blocks += 1
        file, over = self._folder / f"block-{self._blocks}.sh", f"-- {self._blocks} is over --"
        file.write_text(code)
        before = len(self._log.read_text())
        self._pipe.write(f"set -x; source {file} < /dev/null; set +x; echo '{over}'\n".encode())
        self._pipe.flush()

        def is_over() -> bool:
            printed = self._log.read_text()[before:]
            assert self._process.poll() is None or f"\n{over}" in printed, f"{what}\n{printed}"
            return f"\n{over}" in printed

        until(is_over, f"{what}\n{self._log.read_text()[before:]}", timeout=300)
        return self._log.read_text()[before:]

    def end(self) -> None:
        """End it."""
        with suppress(BrokenPipeError):
            self._pipe.close()
        self._process.kill()
        self._process.wait()


class Terminal:
    """Types what a page says, in its order.

    ``given`` is what differs on this machine: text of the page -> what is typed in its place. The
    broker's address is.
    """

    def __init__(self, project: Project, given: Mapping[str, str] | None = None) -> None:
        port = urlsplit(project.environ()["CELERY_BROKER_URL"]).port
        self._given = {
            "localhost:6379": f"127.0.0.1:{port}",
            "redis-cli ": f"redis-cli -p {port} ",
            **(given or {}),
        }
        self._project = project
        self._shell = Shell(project)

    def type(self, block: Block, elsewhere: Collection[str] = ()) -> str:
        """Type the commands of a block, and return what was printed.

        What stays is interrupted as soon as it is there. Commands that need a cluster are left out,
        and those that are typed ``elsewhere``.
        """
        if "redis-cli " in block.code:
            require_redis_cli()
        pieces = [
            each for each in block.commands if not needs_a_cluster(each) and each not in elsewhere
        ]
        if pieces == block.commands and not any(map(stays, pieces)):
            return self._shell.run(self._here(block.code), str(block))
        return "".join(self._piece(each, block) for each in pieces)

    def start(self, command: str) -> Process:
        """Start what stays, and return when it is there."""
        ready = stays(command)
        assert ready, command
        variables = re.match(ASSIGNMENTS, command)
        before = variables[0] if variables else ""
        line = f"{before}exec {self._here(command[len(before) :])}"
        for name, options in PORTS.items():
            if re.match(rf"{ASSIGNMENTS}(flaskiq|celery -A \S+){name}\b", command):
                line += "".join(f" {option}={free_port()}" for option in options)
        process = start(self._project, "bash", "-c", line)
        process.wait_for(ready)
        return process

    def read(self, page: str, section: str = "") -> None:
        """Do all that a page or a section says: write files, run scripts, type the rest."""
        for block in blocks(page, section):
            if block.file:
                self._project.write(block.file, block.code)
            elif block.info == "python":
                run(self._project, block)
            elif block.info in COMMANDS:
                self.type(block)

    def end(self) -> None:
        """End the shell, and the workers that it has left in the background."""
        self._shell.end()
        stop = start(self._project, "flaskiq", "worker", "stop", "--timeout", "20")
        stop.wait(60)

    def _piece(self, command: str, block: Block) -> str:
        if not stays(command):
            return self._shell.run(self._here(command), str(block))
        process = self.start(command)
        process.send(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):  # Flower may say that it is there too early
            process.wait(15)
        process.send(signal.SIGINT)
        code = process.wait()
        # Stock Celery ends a warm shutdown by Ctrl-C with 1, one by TERM with 0.
        ended = (0, 1, 130) if command.startswith("celery ") else (0, 130)
        assert code in ended, f"{code} {process.output}"
        assert "Traceback" not in process.output
        return process.output

    def _here(self, text: str) -> str:
        for said, here in self._given.items():
            text = text.replace(said, here)
        return text


def stays(command: str) -> str:
    """Return what a program prints when it is there that runs until Ctrl-C; '' for any other."""
    for pattern, ready in STAYS.items():
        if re.match(ASSIGNMENTS + pattern, command):
            return ready
    return ""


def start(project: Project, *argv: str) -> Process:
    """Start a program of the test's Python, or of the system."""
    env = environ(project)
    return project.start(shutil.which(argv[0], path=env["PATH"]) or argv[0], *argv[1:], **env)


def environ(project: Project) -> dict[str, str]:
    """Return the environment at a terminal: first the project's ``bin``, then the test's."""
    path = (str(project.folder / "bin"), str(Path(sys.executable).parent))
    return project.environ(
        PATH=":".join((*path, project.environ()["PATH"])), CELERY_WORKER_LOGLEVEL="info"
    )


def require_redis_cli() -> None:
    """Skip the test where there is no ``redis-cli``; in CI that is a failure."""
    if shutil.which("redis-cli") is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("no redis-cli: install redis-tools")
