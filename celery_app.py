"""The Flask app of the reference application and its Celery app.

``celery -A celery_app worker -Q critical,default,low`` runs the jobs, ``celery -A celery_app beat``
the cron schedules. The web routes are in ``server.py``, which imports this module and is not
needed here. The Flask app is not called ``app``, because the ``celery`` program would take it for
a Celery app.
"""

from __future__ import annotations

from flask import Flask

from flaskiq import Flaskiq, WorkerRegistry

flask_app = Flask(__name__)

# The place to change queues and limits; any Celery setting may stand here, in lower case.
flask_app.config["CELERY"] = {
    # Served strictly in this order: a job of a lower queue starts when the higher ones are empty.
    "task_queues": {
        "critical": {"exchange": "critical", "routing_key": "critical"},
        "default": {"exchange": "default", "routing_key": "default"},
        "low": {"exchange": "low", "routing_key": "low"},
    },
    "task_soft_time_limit": 25 * 60,  # seconds until SoftTimeLimitExceeded is raised in perform
    "task_time_limit": 30 * 60,  # seconds until the job is killed
    "result_expires": 24 * 60 * 60,  # seconds; server.py knows a job for as long
}

flaskiq = Flaskiq(flask_app)
celery_app = flaskiq.celery

# Last, so that a module of `workers` may say `from celery_app import celery_app`.
WorkerRegistry.initialize()
