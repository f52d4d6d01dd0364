"""Whether the certificates of the servers are verified."""

from __future__ import annotations

from collections.abc import Iterator

from flaskiq.doctor.finding import Finding, ok, warning
from flaskiq.doctor.patient import Patient
from flaskiq.settings import mask_url, tls


def examine(patient: Patient) -> Iterator[Finding]:
    """Look at the options in each URL and in the CELERY dict."""
    settings = patient.settings
    given = {**settings.adopted, **settings["CELERY"]}
    found = list(tls.unverified(settings.values, given))
    for name, url in found:
        yield warning(
            f"the certificate of {mask_url(url)} ({name}) is not verified",
            "Whoever is in between can read and change every job.",
            f"Take ssl_cert_reqs=none out of {name} or {tls.KEYS[name]}, and name your authority: "
            "ssl_ca_certs=/path/ca.pem",
        )
    if tls.require(settings.values, given) and not found:
        yield ok("certificates are verified")
