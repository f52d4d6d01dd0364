"""TLS of the broker and of the result backend: verified, unless somebody says otherwise. Pure."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from flaskiq.settings.urls import mask_url, split_urls

logger = logging.getLogger(__name__)

KEYS = {"CELERY_BROKER_URL": "broker_use_ssl", "CELERY_RESULT_BACKEND": "redis_backend_use_ssl"}
"""Setting of a URL -> Celery's setting for its TLS options."""

_UNVERIFIED = (ssl.CERT_NONE, "none", "CERT_NONE")


def require(values: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return Celery's TLS settings: for ``rediss://`` they verify where they say nothing of it.

    For a bare ``rediss://`` kombu verifies nothing, and Celery's result backend refuses to start;
    with ``broker_use_ssl=True`` kombu does not even encrypt.
    """
    found = {}
    for name, key in KEYS.items():
        options = given.get(key)
        if options or any(url.startswith("rediss:") for url in split_urls(values[name])):
            own = options if isinstance(options, Mapping) else {}
            found[key] = {"ssl_cert_reqs": ssl.CERT_REQUIRED, **own}
    return found


def unverified(values: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the setting and URL of each connection whose certificate nobody verifies.

    The last word has the URL.
    """
    required = require(values, given)
    for name, key in KEYS.items():
        options = required.get(key, {})
        for url in split_urls(values[name]):
            in_url = parse_qs(urlsplit(url).query).get("ssl_cert_reqs", [None])[-1]
            if (in_url or options.get("ssl_cert_reqs")) in _UNVERIFIED:
                yield name, url


def warn_unverified(values: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Warn about each connection whose certificate nobody verifies."""
    for name, url in unverified(values, given):
        logger.warning(
            "The certificate of %s (%s) is not verified: whoever is in between can read and change "
            "every job. Leave out ssl_cert_reqs, and name your authority in ssl_ca_certs",
            mask_url(url),
            name,
        )
