"""Asks the backend every ten minutes whether it is well."""

from __future__ import annotations

import os
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

from flask import current_app

from flaskiq import Logger, Worker

DEFAULT_URL = "http://localhost:8080/api/"
TIMEOUT = 3  # seconds


class HealthCheckWorker(Worker):
    """Logs whether ``HEALTH_CHECK_URL`` (environment, else Flask config) answers with 2xx.

    An unhealthy backend is a finding, not a failure of the job: it is logged as an error and
    returned. What was not foreseen is raised, retried once, and seen.
    """

    queue = "default"
    max_retries = 1
    cron_schedule = "*/10 * * * *"

    @classmethod
    def perform(cls) -> dict[str, Any]:
        """Return ``{"healthy": bool, "reason": "status 200"}``.

        Raises:
            ValueError: ``HEALTH_CHECK_URL`` is no http or https URL.
        """
        healthy, reason = check(health_check_url())
        if healthy:
            Logger.info(message=f"Backend is healthy: {reason}")
        else:
            Logger.error(message=f"Backend is unhealthy: {reason}")
        return {"healthy": healthy, "reason": reason}


def health_check_url() -> str:
    url = os.environ.get("HEALTH_CHECK_URL") or current_app.config.get("HEALTH_CHECK_URL")
    return str(url or DEFAULT_URL)


def check(url: str) -> tuple[bool, str]:
    """Return whether ``url`` answers with 2xx within the timeout, and what it answered."""
    if urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"HEALTH_CHECK_URL must start with http:// or https://, not {url!r}")
    try:
        with urlopen(url, timeout=TIMEOUT) as response:  # noqa: S310 - the scheme is checked above
            return True, f"status {response.status}"
    except HTTPError as error:
        with error:
            return False, f"status {error.code}"
    except (OSError, HTTPException) as error:
        return False, str(error) or type(error).__name__
