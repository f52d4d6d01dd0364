"""Whether somebody enqueues the cron entries."""

from __future__ import annotations

import time
from collections.abc import Iterator

from flaskiq.doctor.finding import Finding, info, ok, problem
from flaskiq.doctor.patient import Patient

SILENT = 60.0
"""Seconds; a leader looks each second."""


def examine(patient: Patient) -> Iterator[Finding]:
    """Ask who leads the schedulers, if there is anything to enqueue."""
    if not patient.tasks:  # loads what the entries come from
        return
    number = len(patient.celery.conf.beat_schedule or {})
    if not number:
        return
    entries = f"{number} cron {'entry' if number == 1 else 'entries'}"
    if patient.settings["FLASKIQ_SCHEDULER"] != "flaskiq":
        yield info(
            f"the app has {entries}, which Celery's scheduler enqueues",
            "Whether it runs cannot be told from here, and no second one may run.",
            "FLASKIQ_SCHEDULER=flaskiq, of which any number may run.",
        )
        return
    found = patient.store.cron.leadership()
    silent = time.time() - found.ticked_at if found.ticked_at else None
    if found.leader is None or silent is None or silent > SILENT:
        yield problem(
            f"the app has {entries}, and no scheduler runs",
            "Nothing is enqueued by the clock.",
            "flaskiq beat, or workers with FLASKIQ_BEAT_IN_WORKER=1",
        )
        return
    yield ok(f"{found.leader} enqueues {entries}")
