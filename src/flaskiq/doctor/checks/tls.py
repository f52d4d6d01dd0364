"""Whether the certificates of the servers are verified."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

from flaskiq.doctor.finding import Finding, ok, warning
from flaskiq.doctor.patient import Patient
from flaskiq.settings import mask_url, tls
from flaskiq.settings.urls import split_urls

UNVERIFIED = {ssl.CERT_NONE, "none", "CERT_NONE"}


def examine(patient: Patient) -> Iterator[Finding]:
    """Look at the options in each URL and in the CELERY dict."""
    settings = patient.settings
    given = {**settings.adopted, **settings["CELERY"]}
    encrypted = tls.require(settings.values, given)
    sound = True
    for name, key in tls.KEYS.items():
        if key not in encrypted:
            continue
        for url in split_urls(settings[name]):
            in_url = parse_qs(urlsplit(url).query).get("ssl_cert_reqs", [None])[-1]
            if (in_url or encrypted[key]["ssl_cert_reqs"]) in UNVERIFIED:
                sound = False
                yield warning(
                    f"the certificate of {mask_url(url)} ({name}) is not verified",
                    "Whoever is in between can read and change every job.",
                    f"Take ssl_cert_reqs=none out of {name} or {key}, and name your authority: "
                    "ssl_ca_certs=/path/ca.pem",
                )
    if encrypted and sound:
        yield ok("certificates are verified")
