"""Which tasks are acknowledged before they run, and so are lost with their process."""

from __future__ import annotations

from collections.abc import Iterator

from flaskiq.doctor.finding import Finding, ok, warning
from flaskiq.doctor.patient import Patient

WHY = "It runs at most once: when its process dies, the job is lost, and nobody hears of it."


def examine(patient: Patient) -> Iterator[Finding]:
    """Name each task with ``acks_late=False``."""
    early = [name for name, task in patient.tasks.items() if not task.acks_late]
    if not patient.celery.conf.task_acks_late:
        yield warning(
            "task_acks_late is False for every task that does not say otherwise",
            WHY,
            "Take task_acks_late out of the CELERY dict, or off the Celery app that was adopted.",
        )
    for name in early:
        yield warning(
            f"{name} is acknowledged before it runs (acks_late=False)",
            WHY,
            "Take acks_late=False off the task, unless a job that is lost is better than one that "
            "runs twice.",
        )
    if not early:
        yield ok("every job is acknowledged after it has run")
