"""The dashboard: see and steer everything, in the same web app.

::

    Flaskiq(app, dashboard="/jobs")

    from flaskiq.web.dashboard import dashboard     # or so: no process but the web server loads it
    app.register_blueprint(dashboard, url_prefix="/jobs")

Outside of development it serves nobody until an access rule says whom (``docs/dashboard.md``).
"""

from __future__ import annotations

import logging

from flask import Blueprint, render_template
from flask.typing import ResponseReturnValue
from kombu.exceptions import OperationalError
from redis import RedisError
from werkzeug.exceptions import HTTPException

from flaskiq.web.dashboard import assets, guard, shell
from flaskiq.web.dashboard.pages import batches, busy, chords, cron, job, overview, queues, sets

logger = logging.getLogger(__name__)

NAME = "flaskiq"
"""Name of the blueprint: ``url_for("flaskiq.overview")``."""

PAGES = (overview, busy, queues, sets, job, cron, batches, chords)


def _blueprint() -> Blueprint:
    pages = Blueprint(NAME, __name__, template_folder="templates")
    pages.before_request(guard.before)
    pages.after_request(guard.after)
    pages.context_processor(shell.context)
    pages.register_error_handler(HTTPException, _refused)
    for kind in (RedisError, OperationalError):
        pages.register_error_handler(kind, _out_of_reach)
    assets.add(pages)
    for page in PAGES:
        page.add(pages)
    return pages


def _refused(error: HTTPException) -> ResponseReturnValue:
    text = render_template("flaskiq/problem.html", title=error.name, text=error.description)
    return text, error.code or 500


def _out_of_reach(error: Exception) -> ResponseReturnValue:
    logger.error("The dashboard cannot reach Redis: %s", error)
    title, text = "Redis is out of reach", "The jobs are there still; the page tries again."
    return render_template("flaskiq/problem.html", title=title, text=text), 503


dashboard = _blueprint()
"""The pages; any number of apps may register them."""
