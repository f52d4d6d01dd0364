"""The app for ``flask --app flaskiq.cli.backend``, where ``flask`` could not find it itself.

``flaskiq -A module:name`` may name a Flaskiq object or a Celery app; ``flask`` knows neither.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from flaskiq.cli.locate import find

if TYPE_CHECKING:
    from flask import Flask


def create_app() -> Flask:
    """Return the Flask app behind ``FLASKIQ_APP``."""
    return find(os.environ["FLASKIQ_APP"]).state.app
