"""The source of an application that a test changes while a node runs it."""

from __future__ import annotations

SOURCE = """
import json
import os
import time

import redis
from flask import Flask

from flaskiq import Flaskiq, Worker

VERSION = {version}

app = Flask("renewed")
app.config["FLASKIQ_WORKERS"] = [__name__]
app.config["CELERY"] = {{"worker_pool_restarts": True}}
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery
client = redis.Redis.from_url(celery_app.conf.broker_url)


class Tell(Worker):
    ignore_result = True

    @classmethod
    def perform(cls, number):
        client.rpush("record:told", json.dumps([number, VERSION, os.getpid(), time.time()]))


class Hold(Worker):
    @classmethod
    def perform(cls, name):
        client.rpush("record:started", name)
        while not client.exists(f"go:{{name}}"):
            time.sleep(0.01)
        return VERSION
"""

BROKEN = 'raise RuntimeError("no such code")\n'

STREAM = """
import sys
import time

from renewed import Tell, app, client

rate = int(sys.argv[1])
with app.app_context():
    began, number = time.monotonic(), 0
    while not client.exists("record:enough"):
        due = int((time.monotonic() - began) * rate)
        while number < due:
            Tell.perform_async(number)
            number += 1
        time.sleep(0.002)
client.set("record:sent", number)
"""
"""Enqueues numbered jobs, so many in a second, until it is told that it is enough."""
