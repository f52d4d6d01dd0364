"""Whether results are kept, and for long enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flaskiq.doctor.checks.broker import UNREACHABLE
from flaskiq.doctor.finding import Finding, info, ok, problem, warning
from flaskiq.doctor.patient import PATIENCE, Patient
from flaskiq.settings import mask_url

TIMEOUTS = ("socket_timeout", "socket_connect_timeout")
"""A connection over a Unix socket has only the first."""


def examine(patient: Patient) -> Iterator[Finding]:
    """Look at the result backend, and at its times against the longest job."""
    settings = patient.settings
    if not settings.keeps_results:
        yield info(
            "there is no result backend",
            "Jobs run, but .get() raises, and chords cannot be used.",
            "CELERY_RESULT_BACKEND=redis://..., if you need either.",
        )
        return
    faults = [*_unreachable(patient), *_too_short(patient)]
    yield from faults
    if not faults:
        expires = settings["CELERY_RESULT_EXPIRES"]
        kept = f"for {expires:g} s" if expires else "for ever"
        yield ok(f"results are kept {kept} at {mask_url(settings.result_backend)}")


def _too_short(patient: Patient) -> Iterator[Finding]:
    limits = [task.time_limit for task in patient.tasks.values() if task.time_limit]
    longest = max([patient.settings["CELERY_TASK_TIME_LIMIT"] or 0, *limits])
    for name, why in (
        (
            "CELERY_RESULT_EXPIRES",
            "The state of a job is forgotten while it runs, and the results of a group too early.",
        ),
        (
            "CELERY_RESULT_CHORD_EXPIRES",
            "A chord whose counter is forgotten never starts its callback.",
        ),
    ):
        seconds = patient.settings[name]
        if seconds and seconds < longest:
            yield warning(
                f"{name} is {seconds:g} s, and a job may run for {longest:g} s",
                why,
                f"{name}={longest * 2:g}",
            )


def _unreachable(patient: Patient) -> Iterator[Finding]:
    """Ask a Redis that is not the broker's; what another kind of backend says is not known."""
    settings = patient.settings
    try:
        backend: Any = patient.celery.backend
    except Exception as error:  # noqa: BLE001 - each kind of backend has errors of its own
        yield _problem(
            settings.result_backend,
            error,
            "Install what it needs, or set CELERY_RESULT_BACKEND=redis://...",
        )
        return
    try:
        own: Mapping[str, Any] = getattr(backend, "connparams", {})
        if own and settings.result_backend != settings.broker_url:
            short = {name: PATIENCE for name in TIMEOUTS if name in own}
            backend._create_client(**{**own, **short}).ping()  # noqa: SLF001 - with our patience
    except UNREACHABLE as error:
        mend = "Start the server, or set CELERY_RESULT_BACKEND to where it is."
        yield _problem(settings.result_backend, error, mend)


def _problem(url: str, error: Exception, mend: str) -> Finding:
    return problem(
        f"{mask_url(url)} cannot be used: {mask_url(str(error))}",
        "No result can be written or read; a worker waits for it and runs nothing else.",
        mend,
    )
