"""docs/production.md: its commands run, and a restart by them loses no job."""

from __future__ import annotations

import json
import threading

import pytest
from page import Block, Terminal, blocks, run
from processes import Project
from redis import Redis
from waiting import until

RECORD = """
import os, time
import redis
from flaskiq import Worker

client = redis.Redis.from_url(os.environ["CELERY_BROKER_URL"])

class Record(Worker):
    @classmethod
    def perform(cls, number: int, pushed: float) -> None:
        client.rpush("started", f"{number} {time.time() - pushed}")
        time.sleep(0.05)
        client.rpush("ended", number)
"""

LOAD = """
import time
from app import app
from workers.record import Record, client
number = 0
with app.app_context():
    while not client.exists("enough"):
        Record.perform_async(number, time.time())
        number += 1
        time.sleep(0.05)
print(number)
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_every_command_runs_and_a_rolling_restart_loses_nothing(
    project: Project, store: Redis
) -> None:
    """About half a minute, most of it the start of workers."""
    project.write("workers/record.py", RECORD)
    terminal = Terminal(project)
    done = []
    try:
        for block in blocks("production.md"):
            if block.file:
                project.write(block.file, block.code)
            elif block.info == "python":
                run(project, block)
            elif "restart --name two" in block.code:
                done.append(restart_under_load(project, store, terminal, block))
            elif "not purged" in block.code:
                done.append(count(project, terminal, block))
            elif block.info == "sh":
                terminal.type(block)
    finally:
        terminal.end()
    assert len(done) == 2


def restart_under_load(project: Project, store: Redis, terminal: Terminal, block: Block) -> int:
    """Restart two workers while 20 jobs a second come in; print how long they waited."""
    pushed: list[str] = []
    load = threading.Thread(target=lambda: pushed.append(project.python(LOAD)))
    load.start()
    until(lambda: store.llen("ended") > 20, "jobs run")
    assert terminal.type(block).count("Restarted") == 2
    ended = store.llen("ended")
    until(lambda: store.llen("ended") > ended + 20, "jobs run after it, too")
    store.set("enough", 1)
    load.join()
    number = int(pushed[0])
    until(lambda: store.llen("ended") >= number, "all jobs have run")
    started = [each.split() for each in store.lrange("started", 0, -1)]
    assert sorted(int(each) for each, _ in started) == list(range(number)), "each began once"
    assert sorted(map(int, store.lrange("ended", 0, -1))) == list(range(number)), "each ended once"
    waits = sorted(float(wait) for _, wait in started)
    p95 = waits[int(0.95 * number)]
    print(json.dumps({"jobs": number, "lost": 0, "doubled": 0, "p95_wait": p95}))
    return number


def count(project: Project, terminal: Terminal, block: Block) -> bool:
    """Count jobs before they are deleted, as the page shows it: those of its own example."""
    (example,) = [b for b in blocks("production.md", "Enqueue many at once") if b.info == "python"]
    (shown,) = [b for b in blocks("production.md", "Emergency reset") if not b.info]
    project.python(example.code)
    assert shown.code in terminal.type(block)
    return True
