"""docs/redis.md names every key and every script, docs/reliability.md only tests that exist."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from redis import Redis

from flaskiq.store import script
from flaskiq.store.keys import Keys
from flaskiq.store.store import Store

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/redis.md").read_text()
RELIABILITY = (ROOT / "docs/reliability.md").read_text()

STORE = Store(Redis())
SETS = [each.name for each in (STORE.scheduled, STORE.retry, STORE.dead)]

VALUES = {
    "ready": ["<queue>"],
    "jobs": [*SETS, "finished"],
    "failures": ["retry", "dead"],
    "inflight": ["<process>"],
    "heartbeat": ["<process>"],
    "facts": ["<process>"],
    "running": ["<process>"],
    "day": ["<day>"],
    "minute": ["<minute>"],
    "cron_entry": ["<entry>"],
    "cron_runs": ["<entry>"],
    "cron_ends": ["<entry>"],
    "batch": ["<batch>"],
    "batch_jobs": ["<batch>"],
    "batch_children": ["<batch>"],
    "batch_incomplete": ["<batch>"],
    "chord": ["<chord>"],
    "chord_parts": ["<chord>"],
    "chord_held": ["<chord>"],
    "chord_called": ["<chord>"],
    "chord_of": ["<body>"],
    "chord_repair": ["<chord>"],
    "wanted": ["<group>"],
}
"""What the methods of Keys are called with."""

OTHER = {"lists", "nodes"}
"""Methods that return several keys, or one of kombu's."""


def keys() -> set[str]:
    """Return every key that Keys can make."""
    names = Keys()
    found = {names[name] for name in SETS}
    for attribute, member in vars(Keys).items():
        if isinstance(member, property):
            found.add(getattr(names, attribute))
        elif (
            inspect.isfunction(member) and not attribute.startswith("_") and attribute not in OTHER
        ):
            found.update(getattr(names, attribute)(value) for value in VALUES[attribute])
    return {f"{name}<queue>" if name == names.wake else name for name in found}


def rows(section: str) -> list[list[str]]:
    """Return the cells of the table in a section, without its head."""
    body = PAGE.partition(f"\n## {section}\n")[2].partition("\n## ")[0]
    return [line.strip("| ").split(" | ") for line in body.splitlines() if line.startswith("| `")]


def test_every_key_is_on_the_page_and_no_other() -> None:
    assert {row[0].strip("`") for row in rows("Keys")} == keys()


def test_of_each_key_the_page_says_type_writer_reader_and_ttl() -> None:
    types = {"list", "sorted set", "hash", "set", "string"}
    for row in rows("Keys"):
        assert len(row) == 6, row
        assert all(row), row
        assert row[1] in types, row


def test_every_script_is_on_the_page_and_no_other() -> None:
    folder = Path(script.__file__).parent / "scripts"
    assert {row[0].strip("`") for row in rows("Scripts")} == {
        file.stem for file in folder.glob("*.lua")
    }


def test_the_tests_that_the_page_names_exist() -> None:
    tests = "".join(
        file.read_text()
        for part in ("broker", "store", "runtime/pool")
        for file in ROOT.glob(f"tests/{part}/*.py")
    )
    named = re.findall(r"`(test_\w+)`", RELIABILITY)
    assert len(named) >= 10
    assert [name for name in named if f"\ndef {name}(" not in tests] == []


def test_the_test_files_that_the_compatibility_page_names_exist() -> None:
    page = (ROOT / "docs/compatibility.md").read_text()
    files = {
        file.stem
        for part in ("compat", "connections", "logs")
        for file in ROOT.glob(f"tests/{part}/*")
    }
    named = set(re.findall(r"`(test_\w+)`", page))
    assert len(named) >= 10
    assert named <= files


def test_the_faults_of_the_chaos_run_that_the_page_names_exist() -> None:
    faults = (ROOT / "chaos/faults.py").read_text()
    named = re.findall(r"chaos: `([\w-]+)`", RELIABILITY)
    assert named
    assert [name for name in named if f'"{name}"' not in faults] == []
