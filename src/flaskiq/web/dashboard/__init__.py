"""The dashboard: see and steer everything, in the same web app.

::

    Flaskiq(app, dashboard="/jobs")

    from flaskiq.web.dashboard import dashboard     # or so: no process but the web server loads it
    app.register_blueprint(dashboard, url_prefix="/jobs")

Outside of development it serves nobody until an access rule says whom (``docs/dashboard.md``).
"""

from __future__ import annotations

import logging

from flask import Blueprint, jsonify, render_template
from flask.typing import ResponseReturnValue
from kombu.exceptions import OperationalError
from redis import RedisError
from werkzeug.exceptions import HTTPException

from flaskiq.errors import ArgumentError
from flaskiq.web.dashboard import assets, guard, shell
from flaskiq.web.dashboard.guard import acted
from flaskiq.web.dashboard.page import is_for_programs
from flaskiq.web.dashboard.pages import (
    batches,
    busy,
    chords,
    cron,
    job,
    metrics,
    overview,
    queues,
    sets,
    stats,
)

__all__ = ["acted", "dashboard"]

logger = logging.getLogger(__name__)

NAME = "flaskiq"
"""Name of the blueprint: ``url_for("flaskiq.overview")``."""

PAGES = (
    *overview.PAGES, *busy.PAGES, *queues.PAGES, *sets.PAGES, *job.PAGES, *cron.PAGES,
    *batches.PAGES, *chords.PAGES, *metrics.PAGES,
)  # fmt: skip


def _blueprint() -> Blueprint:
    pages = Blueprint(NAME, __name__, template_folder="templates")
    pages.before_request(guard.before)
    pages.after_request(guard.after)
    pages.context_processor(shell.context)
    pages.register_error_handler(HTTPException, _refused)
    pages.register_error_handler(ArgumentError, _wrong)
    for kind in (RedisError, OperationalError):
        pages.register_error_handler(kind, _out_of_reach)
    assets.add(pages)
    stats.add(pages)
    for page in PAGES:
        page.add_to(pages)
    return pages


def _refused(error: HTTPException) -> ResponseReturnValue:
    return _problem(error.name, error.description or "", error.code or 500)


def _wrong(error: ArgumentError) -> ResponseReturnValue:
    return _problem("Bad Request", str(error), 400)


def _out_of_reach(error: Exception) -> ResponseReturnValue:
    logger.error("The dashboard cannot reach Redis: %s", error)
    text = "The jobs are there still; this page tries again as soon as it is loaded."
    return _problem("Redis is out of reach", text, 503)


def _problem(title: str, text: str, code: int) -> ResponseReturnValue:
    if is_for_programs():
        return jsonify(error=f"{title}: {text}"), code
    return render_template("flaskiq/problem.html", title=title, text=text), code


dashboard = _blueprint()
"""The pages; any number of apps may register them."""
