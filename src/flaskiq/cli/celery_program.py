"""The program ``celery``, run for an app that its own options have not found."""

from __future__ import annotations

from collections.abc import Sequence

from celery import Celery


def run(celery: Celery, words: Sequence[str]) -> int:
    """Run a command of the program and return its exit code.

    Its options ``--broker`` and ``--result-backend`` read ``BROKER_URL`` and ``RESULT_BACKEND``
    and then stand above the settings of the app, where ``CELERY_BROKER_URL`` stands above those:
    beat would enqueue in one Redis, and workers fetch from the other.
    """
    conf = celery.conf
    own = (f"--broker={conf.broker_url}", f"--result-backend={conf.result_backend}")
    return int(celery.start([*own, *words]) or 0)
