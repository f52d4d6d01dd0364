"""Tasks of plain Celery that take longer than they may.

A soft limit that is much shorter may come in the handler of a signal, and Celery drops it there.
"""

from __future__ import annotations

import os
import time
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded

from contract_app import celery_app, note


@celery_app.task(bind=True, soft_time_limit=1.0, time_limit=30)
def sleeps(self: Any) -> str:
    """Sleep until its soft limit, and clean up."""
    try:
        time.sleep(20)
    except SoftTimeLimitExceeded:
        note(self.request.id, "cleaned up")
        return "stopped"
    return "slept on"


@celery_app.task(bind=True, soft_time_limit=1.0, time_limit=30)
def computes(self: Any) -> str:
    """Compute until its soft limit, and clean up."""
    try:
        end, count = time.monotonic() + 20, 0
        while time.monotonic() < end:
            count += 1
    except SoftTimeLimitExceeded:
        note(self.request.id, "cleaned up")
        return "stopped"
    return "computed on"


@celery_app.task(bind=True, soft_time_limit=0.5, time_limit=30)
def gives_up(self: Any) -> None:
    """Let the soft limit end it."""
    try:
        time.sleep(20)
    finally:
        note(self.request.id, "cleaned up")


@celery_app.task(bind=True, soft_time_limit=0.5, time_limit=1)
def endless(self: Any) -> None:
    """Go on after its soft limit, until it is killed."""
    note(self.request.id, os.getpid())
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            time.sleep(0.1)
        except SoftTimeLimitExceeded:
            note(self.request.id, "goes on")


@celery_app.task(bind=True)
def unlimited(self: Any, seconds: float) -> str:
    """Have no limits of its own; say of a soft one that it came."""
    note(self.request.id, "started")
    try:
        time.sleep(seconds)
    except SoftTimeLimitExceeded:
        note(self.request.id, "soft")
        time.sleep(seconds)
    return "ended"
