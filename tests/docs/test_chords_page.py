"""docs/chords.md: each command of the page runs as it stands there, and ends as the card says."""

from __future__ import annotations

import inspect
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import click
import pytest
from celery import chord
from command import CalledCommand, Command, Done
from fleet import LIB
from processes import Project
from redis import Redis

import flaskiq.chords
from flaskiq.chords import Verdict, Where, repair
from flaskiq.cli.chords import chords

PAGE = (Path(__file__).parents[2] / "docs/chords.md").read_text()

FENCE = re.compile(r"^```(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
LINE = re.compile(r"(?:flaskiq chords|python -m flaskiq\.chords)(?![.\w])[^`|>\n]*")
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

OLD = (
    "python fix_chords.py",
    "*/15 * * * * cd /path/to/backend && python fix_chords.py >/dev/null 2>&1",
    *(
        f"python -m rhesis.backend.tasks.execution.chord_monitor {each}"
        for each in (
            "status",
            "check --max-hours 1",
            "revoke --max-hours 1 --dry-run",
            "revoke --max-hours 1",
            "inspect ID",
            "inspect ID --verbose",
            "clean --force",
        )
    ),
)
"""What the documents of Rhesis let people type."""

DEAD_SETTINGS = (
    "chord_unlock_max_retries",
    "chord_unlock_retry_delay",
    "result_persistent",
    "result_expires=3600",
    "task_track_started",
    "task_send_sent_event",
    "worker_send_task_events",
)
"""What its configuration sets "to prevent stuck tasks"."""

APP = {"FLASKIQ_APP": "sample:app", "PYTHONPATH": LIB}

SAME = {
    "flaskiq chords": "flaskiq chords status",
    "flaskiq chords status --json": "flaskiq chords status",
    "flaskiq chords check": "flaskiq chords check --max-hours 1",
    "flaskiq chords revoke --max-hours 1": "flaskiq chords revoke --max-hours 1 --yes",
    "flaskiq chords fix --max-hours 0.5": "flaskiq chords fix",
}
"""Commands that are not in the card, and the row that is about them."""


def section(name: str) -> str:
    """Return the text below a heading."""
    return PAGE.partition(f"\n## {name}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """Return the cells of the tables in a text, without their heads."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("|")]
    heads = {n for n, cells in enumerate(lines[1:]) if set("".join(cells)) <= set("-| ")}
    return [cells for n, cells in enumerate(lines) if n not in heads and n - 1 not in heads]


def column(text: str) -> list[str]:
    """Return the names in the first cells of a table."""
    return [name for cells in rows(text) for name in re.findall(r"`([^`]+)`", cells[0])]


class Codes(NamedTuple):
    """Exit codes of a command: when no chord is stuck, and when one is."""

    healthy: int
    stuck: int


CARD = {
    command.strip("`"): Codes(int(healthy), int(stuck.partition(",")[0]))
    for _, command, healthy, stuck in rows(section("Reference card"))
}

COMMANDS = sorted(
    {
        match.group().strip()
        for text in (
            *(code for info, code in FENCE.findall(PAGE) if info == "sh"),
            section("Reference card"),
            section("Coming from Rhesis"),
        )
        for match in LINE.finditer(text)
    }
)


def codes(command: str) -> Codes:
    """Return what the card says of a command."""
    typed = command.replace("python -m flaskiq.chords", "flaskiq chords")
    return CARD[SAME.get(typed, typed)]


def options(command: click.Command) -> set[str]:
    """Return the options of a command."""
    return {each for param in command.params for each in param.opts if each.startswith("--")}


# The page and the program


def test_the_card_has_every_command_and_no_other() -> None:
    assert {line.split()[2] for line in CARD} == set(chords.commands)


def test_the_card_has_only_options_that_there_are() -> None:
    for line in CARD:
        command = chords.commands[line.split()[2]]
        assert set(re.findall(r"--[\w-]+", line)) <= options(command), line


def test_every_option_is_on_the_page() -> None:
    for name, command in chords.commands.items():
        lines = [line for line in COMMANDS if f" {name}" in line]
        assert options(command) <= {each for line in lines for each in line.split()}, name


def test_the_card_fits_on_a_screen() -> None:
    assert len(section("Reference card").strip().splitlines()) <= 24


def test_the_card_has_every_command_of_the_page() -> None:
    assert len(COMMANDS) >= 25
    for command in COMMANDS:
        assert codes(command)


def test_every_old_line_has_a_new_one() -> None:
    new = {cells[0]: cells[1] for cells in rows(section("Coming from Rhesis"))}
    for line in OLD:
        assert LINE.search(new[f"`{line}`"]), line
    old = " ".join(new)
    assert [name for name in DEAD_SETTINGS if f"`{name}`" not in old] == []


def test_every_verdict_and_every_place_is_on_the_page() -> None:
    assert column(section("How a chord is doing")) == [str(each) for each in Verdict]
    assert column(section("Where a part is")) == [str(each) for each in Where]


def test_every_export_is_on_the_page() -> None:
    named = re.findall(r"\w+", " ".join(column(section("In Python"))))
    assert set(flaskiq.chords.__all__) <= set(named)


def test_every_act_of_a_recovery_is_on_the_page() -> None:
    made = set(re.findall(r'Step\(\s*"([\w ]+)"', inspect.getsource(repair)))
    assert set(column(section("Commands"))) == made - {"revoke", "clean"}


# The commands


class Staged(NamedTuple):
    """A chord of which no part has run; one part is lost if it is stuck."""

    id: str
    lost: str | None


@pytest.fixture
def program(sample: ModuleType, project: Project) -> Project:
    """A folder in which ``flaskiq`` is about the sample application; no worker runs."""
    return project


def stage(sample: ModuleType, store: Redis, *, stuck: bool) -> Staged:
    """Publish a chord, and let one of its parts get lost."""
    result = chord([sample.Add.s(1, 2), sample.Add.s(3, 4), sample.plain.s("x")])(sample.total.s())
    if not stuck:
        return Staged(result.parent.id, None)
    lost = result.parent.results[1].id
    (raw,) = (
        raw for raw in store.lrange("default", 0, -1) if json.loads(raw)["headers"]["id"] == lost
    )
    assert store.lrem("default", 1, raw) == 1
    return Staged(result.parent.id, lost)


def run(program: Project, command: str, chord_id: str = "") -> Done:
    """Run a line of the page without a terminal."""
    words = shlex.split(re.sub(r"\bID\b", chord_id, command))
    done = subprocess.run(
        [str(Path(sys.executable).parent / words[0]), *words[1:]],
        cwd=program.folder,
        env=program.environ(**APP),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert "Traceback (most" not in done.stderr, done.stderr
    return Done(done.returncode, done.stdout, done.stderr)


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_with_a_healthy_chord(
    sample: ModuleType, store: Redis, program: Project, command: str
) -> None:
    found = stage(sample, store, stuck=False)
    done = run(program, command, found.id)
    assert done.code == codes(command).healthy, done


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_with_a_stuck_chord(
    sample: ModuleType, store: Redis, program: Project, command: str
) -> None:
    """Called, but for what is no ``flaskiq``; as programs they have all run in the test above."""
    found = stage(sample, store, stuck=True)
    first, *words = shlex.split(re.sub(r"\bID\b", found.id, command))
    if first == "flaskiq":
        CalledCommand(program.folder, program.environ(**APP))(*words, code=codes(command).stuck)
    else:
        assert run(program, command, found.id).code == codes(command).stuck


@pytest.mark.parametrize(
    ("command", "code"),
    [
        ("flaskiq chords inspect ID", 1),
        ("flaskiq chords recover ID", 1),
        ("flaskiq chords inspect", 2),
        ("flaskiq chords check --max-hours long", 2),
        ("flaskiq chords mend", 2),
    ],
)
def test_other_exit_codes(program: Project, command: str, code: int) -> None:
    assert run(program, command, "nonsense").code == code


def test_ctrl_d_at_the_question_of_fix(sample: ModuleType, store: Redis, program: Project) -> None:
    stage(sample, store, stuck=True)
    command = Command(program.folder, program.environ(**APP))
    done = command.at_terminal("chords", "fix", answer="\x04")
    assert done.code == 130, done
    assert command.json("chords", "status")["stuck"] == 1


# What they print


def outputs() -> Iterator[list[str]]:
    """Yield the examples of outputs, as lines."""
    for info, text in FENCE.findall(PAGE):
        if info == "":
            yield text.splitlines()


def plain(text: str) -> str:
    """Return a line without what differs from run to run."""
    return UUID.sub("ID", text).replace("sample.Add", "workers.pages.Fetch")


def test_the_examples_of_outputs(sample: ModuleType, store: Redis, program: Project) -> None:
    listed, inspected, planned, logged = outputs()
    found = stage(sample, store, stuck=True)
    status = run(program, "flaskiq chords status").out.splitlines()
    assert status[0].split() == listed[0].split()
    dry = run(program, "flaskiq chords recover ID --dry-run", found.id).out
    assert [plain(line) for line in dry.splitlines()] == [plain(line) for line in planned]
    done = run(program, "flaskiq chords recover ID", found.id)
    assert plain(logged[0]) in plain(done.err)
    shown = run(program, "flaskiq chords inspect ID", found.id).out.splitlines()
    facts = [line.split("  ")[0] for line in shown[: shown.index("")]]
    # The one of the page is lost and has parts that have ended; here it was recovered.
    assert facts == [line.split("  ")[0] for line in inspected[: inspected.index("")]]
    heads = [line.split() for line in shown]
    for head in ("PART", "REPAIRED"):
        (expected,) = (line.split() for line in inspected if line.startswith(head))
        assert expected in heads
