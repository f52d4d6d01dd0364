"""``flaskiq cron``: what is enqueued by the clock, seen and steered."""

from __future__ import annotations

import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import ModuleType

import pytest
import redis
from addresses import import_app
from command import CalledCommand, Command
from processes import Project
from servers import Server
from waiting import until

LIB = str(Path(__file__).parent / "lib")
sys.path.append(LIB)
ENV = {"FLASKIQ_APP": "clock_app:app", "PYTHONPATH": LIB}

NOBODY = "redis://127.0.0.1:1/0"


@pytest.fixture(scope="session")
def _clock_app(server: Server) -> ModuleType:
    return import_app("clock_app", server.url)


@pytest.fixture
def command(project: Project, _clock_app: ModuleType) -> Command:
    """The program about the app."""
    return CalledCommand(project.folder, project.environ(**ENV))


def test_every_entry_with_its_next_slot(command: Command) -> None:
    found = command.json("cron")
    assert found["scheduler"] == {"leader": None, "last_look": None, "lag": None}
    entries = {each["name"]: each for each in found["entries"]}
    assert list(entries) == [
        "ping",
        "shop.Nightly",
        "shop.Often 0 9 * * mon-fri",
        "shop.Often @hourly",
        "text",
    ]
    nightly = entries["shop.Nightly"]
    assert (nightly["task"], nightly["schedule"]) == ("shop.Nightly", "30 2 * * *")
    assert (nightly["zone"], nightly["description"]) == ("Europe/Berlin", "At 02:30")
    assert (nightly["paused"], nightly["last_slot"]) == (False, None)
    following = datetime.fromisoformat(nightly["next"]) - datetime.now(timezone.utc)
    assert timedelta(0) < following < timedelta(hours=25)
    assert entries["shop.Often 0 9 * * mon-fri"]["description"] == "At 09:00, Monday through Friday"
    assert entries["ping"]["description"] == "every 30.00 seconds"
    assert entries["text"]["schedule"] == "*/5 * * * *"
    text = command("cron").out
    assert text.startswith("No scheduler runs; start one: flaskiq beat\n\nENTRY ")
    assert "At 09:00, Monday through Friday" in text


def test_an_entry_is_paused_resumed_and_run(command: Command, store: redis.Redis) -> None:
    assert command.json("cron", "pause", "shop.Nightly") == {"name": "shop.Nightly", "paused": True}
    assert command.json("cron", "show", "shop.Nightly")["paused"]
    assert "is paused" in command("cron", "pause", "shop.Nightly").out
    assert "goes on with its next slot" in command("cron", "resume", "shop.Nightly").out
    assert "was not paused" in command("cron", "resume", "shop.Nightly").out
    job = command.json("cron", "run", "shop.Nightly")["job"]
    assert store.llen("low") == 1, "on the queue of its Worker"
    found = command.json("cron", "show", "shop.Nightly")
    assert len(found["next"]) == 5
    (run,) = found["runs"]
    assert (run["how"], run["job"], run["outcome"]) == ("now", job, "queued")
    assert job in command("cron", "show", "shop.Nightly").out
    assert "all" in command("queues", "show", "low").out, "with its arguments"


def test_a_preview_needs_no_redis(project: Project) -> None:
    command = Command(project.folder, project.environ(**ENV, CELERY_BROKER_URL=NOBODY))
    day = ("--from", "2026-06-01", "--to", "2026-06-02", "--tz", "Europe/Berlin")
    found = command.json("cron", "preview", "shop.Nightly", "shop.Often 0 9 * * mon-fri", *day)
    assert [(each["at"], each["entry"]) for each in found["firings"]] == [
        ("2026-06-01T02:30:00+02:00", "shop.Nightly"),
        ("2026-06-01T11:00:00+02:00", "shop.Often 0 9 * * mon-fri"),
    ], "the second goes by the zone of the app, which is UTC"
    assert not found["cut"]
    few = command.json("cron", "preview", "text", *day, "--limit", "3")
    assert len(few["firings"]) == 3
    assert few["cut"]
    assert few["firings"][0]["at"] == "2026-06-01T00:00:00+02:00", "the very beginning, too"
    assert "--limit shows them" in command("cron", "preview", "text", *day, "--limit", "3").out
    nothing = command(
        "cron", "preview", "shop.Nightly", "--from", "2026-06-01T05:00", "--to", "2026-06-01T06:00"
    )
    assert "Nothing is enqueued in this time." in nothing.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("pause", "shop.Nightli"), "did you mean 'shop.Nightly'"),
        (("show", "nobody"), "The app has no cron entry 'nobody'"),
        (("preview", "nobody"), "The app has no cron entry 'nobody'"),
        (("preview", "--tz", "Europe/Berln"), "did you mean 'Europe/Berlin'"),
        (("preview", "--from", "2026-06-02", "--to", "2026-06-01"), "--to must be later"),
        (("preview", "--from", "yesterday"), "is no time"),
    ],
)
def test_a_slip_of_the_pen(command: Command, words: tuple[str, ...], message: str) -> None:
    assert message in command("cron", *words, code=2).err


def test_the_status_of_workers_says_who_leads(command: Command, project: Project) -> None:
    beat = project.start("flaskiq", "beat", **ENV)
    beat.wait_for("This scheduler leads")
    until(lambda: command.json("cron")["scheduler"]["last_look"] is not None, "it has looked")
    found = command.json("cron")["scheduler"]
    assert f":{beat.pid}:" in found["leader"]
    assert found["last_look"] < 20
    figures = command.json("stats")["scheduler"]
    assert figures["leader"] == found["leader"]
    assert 0 <= figures["lag"] < 20
    status = command.json("worker", "status", code=1)["scheduler"]
    assert status["leader"] == found["leader"]
    assert f"Scheduler {found['leader']} leads" in command("worker", "status", code=1).out
