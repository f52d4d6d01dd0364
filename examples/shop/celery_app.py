"""The app, for the programs that run its jobs: ``flaskiq dev``, ``flaskiq worker start``."""

from __future__ import annotations

from shop import create_app, flaskiq

flask_app = create_app()
celery_app = flaskiq.celery
