"""All contestants, a family to a file."""

from __future__ import annotations

from benchmarks.contestants import celery, dramatiq, flaskiq

CONTESTANTS = (*flaskiq.CONTESTANTS, *celery.CONTESTANTS, *dramatiq.CONTESTANTS)
