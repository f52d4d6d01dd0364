"""Stats: the numbers of every page as JSON, in one trip, for those who ask often."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue

from flaskiq import api
from flaskiq.web.dashboard.asking import ask
from flaskiq.web.dashboard.page import API
from flaskiq.web.dashboard.plain import plain


def _tell() -> ResponseReturnValue:
    return jsonify(plain(ask(api.numbers.reading())))


def add(pages: Blueprint) -> None:
    """Add the routes."""
    pages.add_url_rule("/stats", "api_stats", _tell)
    pages.add_url_rule(f"{API}/stats", "api_stats", _tell)
