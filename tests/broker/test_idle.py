"""What a worker asks of Redis while there is nothing to do."""

from __future__ import annotations

import threading
import time
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest
from processes import Project
from redis import Redis
from servers import Server
from waiting import until

LIB = str(Path(__file__).parents[1] / "lib")
SECONDS = 60


def commands(server: Server, seconds: float) -> Counter[str]:
    """Count what clients send in so many seconds; what scripts call is no command of a client."""
    sent: Counter[str] = Counter()
    with server.client() as teller, server.client() as listener:
        teller.ping()  # what it says when it connects is not counted
        with listener.monitor() as monitor:
            end = threading.Timer(seconds, teller.execute_command, ["ECHO", "the end"])
            end.start()
            for line in monitor.listen():
                if line["command"] == "ECHO the end":
                    break
                if line["client_type"] != "lua":
                    sent[" ".join(line["command"].split()[:2])] += 1
            end.join()
    return sent


@pytest.mark.slow
@pytest.mark.parametrize("pool", [("--pool=flaskiq", "--concurrency=1"), ("--pool=prefork",)])
def test_an_idle_worker_sends_at_most_two_and_a_half_commands_a_second(
    sample: ModuleType, store: Redis, server: Server, project: Project, pool: tuple[str, ...]
) -> None:
    worker = project.start("flaskiq", "--app=sample:app", "worker", "start", *pool, PYTHONPATH=LIB)
    worker.wait_for(" ready.")
    began = time.monotonic()
    assert sample.Add.perform_async(1, 2).get(timeout=20) == 3
    until(lambda: not store.keys("flaskiq:inflight:*"), "it is idle")
    until(lambda: store.zcard("flaskiq:finished"), "the job is recorded")
    # A second after its start a worker asks once more what was revoked.
    until(lambda: time.monotonic() > began + 5, "it has settled")
    sent = commands(server, SECONDS)
    assert sent["BRPOP flaskiq:wake:critical"] >= SECONDS / 2, sent
    assert sum(sent.values()) <= 2.5 * SECONDS, sent
