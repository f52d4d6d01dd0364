"""Guard: what every request to the dashboard passes, and what every answer carries."""

from __future__ import annotations

import hmac
import logging
import secrets
from typing import cast
from urllib.parse import urlsplit

from blinker import signal
from flask import Response, abort, current_app, g, request, session

from flaskiq import current
from flaskiq.settings import Settings
from flaskiq.settings.kinds import resolve
from flaskiq.web.dashboard.access import MISSING, Access, Rule, access, is_development

audit = logging.getLogger("flaskiq.audit")

acted = signal("flaskiq.acted")
"""Sent for every act, by the app, with ``act``, ``what`` and ``number``, within the request."""

TOKEN = "flaskiq_token"  # noqa: S105 - the name of a form field
"""Form field, and where the session keeps it."""

SAFE = ("GET", "HEAD", "OPTIONS")

_ASSETS = ".asset"


def before() -> None:
    """Refuse with 403 what is not allowed, before anything is read."""
    g.flaskiq_nonce = secrets.token_urlsafe(16)
    if (request.endpoint or "").endswith(_ASSETS):
        return
    found, rule = current.state().settings, rule_of(current.state().settings)
    allowed = access(rule, is_open=is_development(current_app, found.env))
    if not allowed.can_read:
        abort(403, MISSING if rule is None else "You may not see the jobs.")
    g.flaskiq_access = allowed
    if request.method not in SAFE:
        _refuse_other_sites()


def rule_of(settings: Settings) -> Rule | None:
    """Return the access rule.

    Raises:
        SettingError: it cannot be loaded.
    """
    given = settings["FLASKIQ_DASHBOARD_ACCESS"]
    return None if given is None else cast("Rule", resolve("FLASKIQ_DASHBOARD_ACCESS", given))


def _refuse_other_sites() -> None:
    """Refuse a write that was not made by a page of ours, nor by a program.

    The browser tells (Sec-Fetch-Site, else Origin); with a ``SECRET_KEY`` a token does, too. JSON
    needs none: a browser sends it to another site only after it has asked, and we do not answer.
    """
    told = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if told is not None:
        is_ours = told == "same-origin"
    elif origin is not None:
        is_ours = urlsplit(origin).netloc == request.host
    else:
        is_ours = bool(current_app.secret_key) or request.is_json  # the token decides
    if not is_ours:
        abort(403, "This request was made by another site.")
    if current_app.secret_key and not request.is_json:
        sent, kept = request.form.get(TOKEN, ""), session.get(TOKEN, "")
        if not kept or not hmac.compare_digest(sent, str(kept)):
            abort(403, "The form is too old; load the page again.")


def after(response: Response) -> Response:
    """Let no other site frame the page, and no script run but ours."""
    nonce = g.get("flaskiq_nonce", "")
    response.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; "
        "img-src 'self' data:; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    )
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "same-origin"
    response.headers.setdefault("Cache-Control", "no-store")
    return response


def token() -> str:
    """Return what a form sends along; empty without a ``SECRET_KEY``."""
    if not current_app.secret_key:
        return ""
    return str(session.setdefault(TOKEN, secrets.token_urlsafe(24)))


def may(act: str) -> bool:
    """Whether the current request may do something."""
    found: Access = g.flaskiq_access
    return found.may(act)


def require(act: str) -> None:
    """Refuse with 403 an act that is not allowed."""
    if not may(act):
        abort(403, f"You may look at the jobs, and not {act} them.")


def note(act: str, what: str, number: int | None) -> None:
    """Write down what was done, and tell who listens."""
    many = "" if number is None else f" ({number})"
    audit.info("%s %s%s, from %s", act, what, many, request.remote_addr)
    acted.send(current.state().app, act=act, what=what, number=number)
