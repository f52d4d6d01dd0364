"""A shop: customers sign up and order, its catalogue is imported, and jobs do the rest."""

from __future__ import annotations

from typing import Any

from flask import Flask
from flaskiq import Flaskiq, WorkerRegistry

from shop import database, views

flaskiq = Flaskiq()


def create_app(**config: Any) -> Flask:
    """Return the shop; ``config`` is its Flask config, such as ``DATABASE``."""
    app = Flask(__name__)
    app.config.update(DATABASE="shop.db", MAIL_SERVER="localhost", FLASKIQ_WORKERS=["shop.workers"])
    app.config.update(config)
    flaskiq.init_app(app)
    database.init_app(app)
    app.register_blueprint(views.shop)
    with app.app_context():
        WorkerRegistry.initialize()
    return app
