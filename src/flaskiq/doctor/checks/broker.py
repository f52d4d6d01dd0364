"""Whether the broker can be reached."""

from __future__ import annotations

import time
from collections.abc import Iterator

from kombu.exceptions import OperationalError
from redis import AuthenticationError, RedisError
from redis.exceptions import BusyLoadingError, NoPermissionError

from flaskiq.doctor.finding import Finding, ok, problem
from flaskiq.doctor.patient import Patient
from flaskiq.settings import mask_url

UNREACHABLE = (RedisError, OperationalError, OSError)
"""What it looks like when Redis does not answer; ``OSError`` is also a certificate's."""


def examine(patient: Patient) -> Iterator[Finding]:
    """Connect, and measure how long an answer takes."""
    try:
        yield ok(f"{patient.address} answers in {_round_trip(patient) * 1000:.1f} ms")
    except UNREACHABLE as error:
        yield problem(
            f"{patient.address} does not answer: {mask_url(str(error))}",
            "No job can be enqueued, and no worker can run one.",
            _mend(error),
        )


def _round_trip(patient: Patient) -> float:
    """Seconds; the best of three, since the first one opens the connection."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        patient.store.client.ping()
        times.append(time.perf_counter() - start)
    return min(times)


def _mend(error: Exception) -> str:
    text = str(error)
    if isinstance(error, AuthenticationError) or "NOAUTH" in text or "WRONGPASS" in text:
        return "Put the right user and password into CELERY_BROKER_URL: redis://user:password@..."
    if isinstance(error, NoPermissionError):
        return "Allow the user all commands and keys: ACL SETUSER <user> on ~* &* +@all"
    if isinstance(error, BusyLoadingError):
        return "Wait: the server is reading its data from disk."
    if "CERTIFICATE" in text:
        return (
            "Name the authority of the certificate in CELERY_BROKER_URL: "
            "rediss://...?ssl_ca_certs=/path/ca.pem"
        )
    return "Start the server, or set CELERY_BROKER_URL to where it is; a timeout may be a firewall."
