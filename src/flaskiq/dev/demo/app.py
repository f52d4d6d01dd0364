"""The app of ``flaskiq demo``: a shop of which only the jobs and the dashboard exist."""

from __future__ import annotations

import logging
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

from flask import Flask, redirect

from flaskiq.extension import Flaskiq
from flaskiq.registry import WorkerRegistry

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

DASHBOARD = "/jobs"

SERVED = ("critical", "default", "low")
"""Queues that the worker of the demo fetches from."""

NOBODYS = "archive"
"""A queue that nobody serves: what is in it waits, and so does the chord that it is a part of."""


def create_app() -> Flask:
    """Return the shop, its Workers registered; a new one each time."""
    app = Flask("shop", root_path=str(Path(__file__).parent))
    app.secret_key = token_hex()
    app.config.update(
        FLASKIQ_WORKERS=["flaskiq.dev.demo.jobs"],
        FLASKIQ_QUEUES=[*SERVED, NOBODYS],
        FLASKIQ_SHUTDOWN_TIMEOUT=2,  # nobody waits for the end of a demo
    )
    Flaskiq(app, dashboard=DASHBOARD)
    app.add_url_rule("/", "home", _go_to_the_dashboard)
    with app.app_context():
        WorkerRegistry.initialize()
    # A page that renews itself would fill the terminal, and push away where the page is.
    logging.getLogger("werkzeug").setLevel(logging.WARNING)
    return app


def _go_to_the_dashboard() -> Response:
    return redirect(f"{DASHBOARD}/")
