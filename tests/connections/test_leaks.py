"""Opening and closing leaves nothing behind."""

from __future__ import annotations

from typing import Any

from redis import Redis
from servers import Server

OPEN_AND_CLOSE = """
import gc, threading, psutil
from flask import Flask
from flaskiq import Flaskiq
from flaskiq.broker.connection import open_store
from sample import Add, app, celery_app

def open_and_close():
    with celery_app.connection_for_read() as connection:
        channel = connection.channel()
        assert channel.store.now() and channel.queue_declare("default").message_count >= 0
        consumer = celery_app.amqp.TaskConsumer(channel)
        consumer.consume()
        consumer.cancel()
        channel.close()
    open_store(celery_app).now()
    with app.app_context():
        Add.perform_async(1, 2)
        Add.perform_bulk([(1, 2)])
    celery_app.control.revoke("nobody")
    another = Flask("another")
    Flaskiq(another).celery.send_task("sample.Add", (1, 2))

def count():
    gc.collect()  # an app is a circle, which is no leak
    process = psutil.Process()
    return len(process.net_connections()), process.num_fds(), threading.active_count()

for _ in range(3):
    open_and_close()
before = count()
for _ in range(20):
    open_and_close()
after = count()
print(before, after)
assert all(late <= early + 2 for early, late in zip(before, after)), (before, after)
"""


def test_repeated_open_and_close_leaks_nothing(
    server: Server, store: Redis, elsewhere: Any
) -> None:
    done = elsewhere(server.url).python_result(OPEN_AND_CLOSE)
    assert done.returncode == 0, done.stderr
