"""What kills change for chords: nothing, but that a part or a body may run again."""

from __future__ import annotations

import json
import random
import signal
from collections import Counter
from collections.abc import Callable
from types import ModuleType

import psutil
import pytest
from celery import chord, group
from processes import Process
from redis import Redis
from waiting import until

from flaskiq import api
from flaskiq.chords import Verdict, check_stuck_chords, watched
from flaskiq.chords import chord as look
from flaskiq.chords import chords as unfinished

Start = Callable[..., Process]

CHORDS, PARTS = 200, 20


@pytest.mark.slow
def test_two_hundred_chords_under_kills(jobs: ModuleType, store: Redis, start: Start) -> None:
    """Each body is enqueued once; it runs again only where its process was killed."""
    watch = {"FLASKIQ_CHORD_WATCH": "2"}
    default = api.Queue("default")
    default.pause()  # all chords are there when the first process is killed
    workers = [start("-c", "2", name=f"worker{number}", **watch) for number in range(2)]
    bodies = {}
    for number in range(CHORDS):
        parts = group(jobs.Slow.s(n) for n in range(PARTS))
        bodies[number] = chord(parts, jobs.Collect.s(f"{number}"))()
    default.unpause()
    chances, killed = random.Random(26), set()
    for kills in range(10):
        # The bodies stand behind all parts; they run while the last are killed.
        left = CHORDS * PARTS * (10 - kills) // 11
        until(lambda: store.llen("default") <= left, "it goes on", 60)  # noqa: B023
        assert _bodies(store) < CHORDS, "there is something left to be killed"
        which = kills % 2
        worker = psutil.Process(workers[which].pid)
        family = [worker, *worker.children(recursive=True)]
        victims = family if kills % 3 == 0 else [chances.choice(family[1:])]
        killed |= {each.pid for each in victims}
        for each in victims:
            each.send_signal(signal.SIGKILL)
        if kills % 3 == 0:
            workers[which] = start("-c", "2", name=f"again{kills}", **watch)
    until(lambda: _bodies(store) == CHORDS, "every body has run", 90)
    for number, result in bodies.items():
        assert result.get(timeout=20) == list(range(PARTS))
        told = [each.split(" ")[:2] for each in store.lrange(f"told:{number}", 0, -1)]
        assert {job_id for job_id, _ in told} == {result.id}
        again = [pid for _, pid in told[:-1]]
        assert all(int(pid) in killed for pid in again), f"{told} ran again without a kill"
    until(lambda: unfinished() == [], "all are over", 60)
    assert check_stuck_chords() == []
    until(lambda: watched()["active"] == watched()["stuck"] == 0, "the watcher sees that", 60)
    assert sum(store.llen(queue) for queue in ("critical", "default", "low")) == 0


def _bodies(store: Redis) -> int:
    return sum(1 for _ in store.scan_iter("ran:*", count=1000))


@pytest.mark.parametrize("moment", [pytest.param("claimed", marks=pytest.mark.slow), "called"])
def test_whoever_is_to_call_the_body_is_killed(
    jobs: ModuleType, store: Redis, start: Start, moment: str
) -> None:
    """With the claim of Celery in hand, or when the body is enqueued and nothing is cleaned up."""
    start("-c", "1", FLASKIQ_HEARTBEAT_TTL="1", KILLED_WHEN=moment)
    result = chord(group(jobs.Double.s(1), jobs.Double.s(2)), jobs.Collect.s())()
    assert result.get(timeout=40) == [2, 4]
    assert store.get("killed") == moment
    until(lambda: look(result.parent.id).verdict is Verdict.DONE, "it is over")
    until(lambda: unfinished() == [], "nothing is left")
    ids = Counter(each.split(" ")[0] for each in store.lrange("told:body", 0, -1))
    assert ids == {result.id: 1}


@pytest.mark.parametrize("limit", [1, 3])
def test_so_many_parts_at_once_also_when_some_are_killed(
    jobs: ModuleType, store: Redis, start: Start, limit: int
) -> None:
    from flaskiq.chords import parallel

    start("-c", "4")
    result = parallel(
        [*(jobs.Slow.s(n) for n in range(12)), jobs.Fail, jobs.Suicidal], jobs.Collect, limit=limit
    )
    (held,) = [each for each in unfinished() if each.body_id == result.id] or [None]
    assert held is None or held.limit == limit
    found = result.get(timeout=60)
    assert found[:12] == list(range(12))
    assert [each["error_type"] for each in found[12:]] == ["ValueError", "WorkerLostError"]
    assert all(each["status"] == "failed" and each["task_id"] for each in found[12:])
    most = store.zscore("most", "running")
    assert most is not None
    assert 1 <= most <= limit
    assert len(json.loads(json.dumps(found))) == 14
