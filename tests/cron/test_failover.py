"""Three schedulers whose leader is killed, frozen and cut off: no slot is lost or doubled."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from uuid import NAMESPACE_OID, uuid5

import pytest
import redis
from processes import Process, Project
from servers import Server
from waiting import until

pytestmark = pytest.mark.slow

LIB = str(Path(__file__).parent / "lib")
sys.path.append(LIB)

SECONDS = 60
FAILOVER = 20.0
"""Seconds within which another leads (design.md, section 8)."""


class Schedulers:
    """Programs of which one leads."""

    def __init__(self, project: Project, server: Server) -> None:
        self._project, self._server = project, server
        self._started: list[Process] = []

    def start(self, **env: str) -> Process:
        """Start one more."""
        process = self._project.start(
            *("celery", "-A", "cron_app:celery_app", "beat", "--loglevel=INFO"),
            **{"PYTHONPATH": LIB, **env},
        )
        self._started.append(process)
        return process

    def leader(self) -> Process | None:
        """Who leads, as Redis has it."""
        with self._server.client() as client:
            token = client.get("flaskiq:cron:leader")
        pid = int(str(token).split(":")[1]) if token else None
        return next((each for each in self._started if each.pid == pid), None)

    def wait_for_leader(self, other_than: Process | None = None) -> Process:
        """Wait until one leads that is not this one."""
        found: list[Process] = []

        def leads() -> bool:
            with suppress(redis.RedisError):
                leader = self.leader()
                if leader is not None and leader is not other_than:
                    found.append(leader)
            return bool(found)

        until(leads, "another leads", timeout=FAILOVER)
        return found[0]

    def end(self) -> None:
        for each in self._started:
            each.end()


@pytest.fixture
def schedulers(durable: Server, tmp_path: Path) -> Iterator[Schedulers]:
    """None yet, at a durable server."""
    folder = tmp_path / "project"
    folder.mkdir()
    project = Project(
        folder, {"CELERY_BROKER_URL": durable.url, "CELERY_RESULT_BACKEND": "disabled://"}
    )
    schedulers = Schedulers(project, durable)
    yield schedulers
    schedulers.end()


def ids(server: Server, queue: str) -> list[str]:
    """The jobs of a queue, the first first."""
    with server.client() as client:
        messages = client.lrange(queue, 0, -1)
    return [json.loads(message)["headers"]["id"] for message in reversed(messages)]


def job_id(entry: str, slot: datetime) -> str:
    return str(uuid5(NAMESPACE_OID, f"{entry} {slot.isoformat()}"))


def seconds_of(server: Server, entry: str, queue: str, around: datetime) -> list[int]:
    """The slots whose jobs are in a queue, in seconds since the epoch, in order."""
    near = range(-30, 300)
    known = {job_id(entry, around + timedelta(seconds=each)): each for each in near}
    start = int(around.timestamp())
    return [start + known[each] for each in ids(server, queue)]


@pytest.mark.slow
def test_each_slot_is_enqueued_once_whatever_becomes_of_the_leader(
    schedulers: Schedulers, durable: Server
) -> None:
    for _ in range(3):
        schedulers.start()
    first = schedulers.wait_for_leader()
    around = datetime.now(timezone.utc).replace(microsecond=0)
    began = time.monotonic()

    first.end()
    second = schedulers.wait_for_leader(other_than=first)
    schedulers.start()
    second.send(signal.SIGSTOP)
    schedulers.wait_for_leader(other_than=second)
    second.send(signal.SIGCONT)
    until(lambda: "has taken over" in second.output or "leads now" in second.output, "it notices")
    durable.kill()
    durable.start()
    third = schedulers.wait_for_leader()
    third.end()
    fourth = schedulers.wait_for_leader(other_than=third)
    schedulers.start()
    fourth.end()
    schedulers.wait_for_leader(other_than=fourth)
    until(lambda: time.monotonic() - began > SECONDS, "a minute has passed", timeout=2 * SECONDS)
    end = int(time.time())
    until(lambda: seconds_of(durable, "all", "default", around)[-1] >= end, "it has caught up")

    everything = seconds_of(durable, "all", "default", around)
    assert everything == list(range(everything[0], everything[-1] + 1)), "each once, in order"
    assert len(everything) >= SECONDS
    once = seconds_of(durable, "once", "low", around)
    assert sorted(set(once)) == once, "none twice, in order"
    gaps = [(a, b) for a, b in pairwise(once) if b - a > 3]
    assert len(gaps) <= 5, "one late run ends each gap"
    assert set(once) <= set(everything)


def test_a_clean_stop_hands_over_at_once(schedulers: Schedulers) -> None:
    schedulers.start()
    schedulers.start()
    first = schedulers.wait_for_leader()
    stopped = time.monotonic()
    first.send(signal.SIGTERM)
    schedulers.wait_for_leader(other_than=first)
    assert time.monotonic() - stopped < 10, "it did not wait for the claim to end"
    assert first.wait() == 0


def test_another_scheduler_starts_while_one_leads(schedulers: Schedulers) -> None:
    schedulers.start()
    leader = schedulers.wait_for_leader()
    standby = schedulers.start()
    standby.wait_for("beat: Starting")
    leader.end()
    assert schedulers.wait_for_leader(other_than=leader) is standby
