"""A client that is used before and after a fork, as a web server with preloading does."""

from __future__ import annotations

from typing import Any

from redis import Redis
from servers import Server

FORK = """
import os, traceback
from sample import Add, app, celery_app

def work(base):
    results = [Add.perform_async(base, n) for n in range(200)]
    results += Add.perform_bulk([(base, n) for n in range(200, 400)])
    later = Add.perform_in(3600, base, 0)
    celery_app.control.revoke(later.id)
    got = [each.get(timeout=30) for each in results]
    assert got == [base + n for n in range(400)], got

with app.app_context():
    assert Add.perform_async(1, 1).get(timeout=20) == 2
    Add.perform_bulk([(1, 1)])
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work(1000)
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    work(2000)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""

UNUSED = """
import os
from sample import celery_app

backend = celery_app.backend
assert "client" not in vars(backend)
child = os.fork()
if child == 0:
    os._exit("client" in vars(backend))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_fork_shares_no_connection(server: Server, store: Redis, elsewhere: Any) -> None:
    project = elsewhere(server.url)
    project.worker("sample:celery_app", "--pool=threads", "--concurrency=2")
    done = project.python_result(FORK)
    assert done.stdout.strip() == "0", done.stderr


def test_a_fork_makes_no_client_in_order_to_reset_it(server: Server, elsewhere: Any) -> None:
    assert elsewhere(server.url).python(UNUSED) == "0"
