"""How long a job waits before its next attempt. Pure."""

from __future__ import annotations

import random


def exponential(attempt: int, *, factor: float = 1.0, maximum: float = 600.0) -> float:
    """Seconds to wait after the given failed ``attempt`` (the first is 1): full jitter, capped.

    A uniform draw between 0 and ``factor * 2 ** (attempt - 1)``, which never exceeds ``maximum``.
    The whole range is used so that jobs which failed together do not come back together
    (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015).
    """
    # 2.0 ** 1024 overflows; any attempt that high has long reached the cap.
    ceiling = min(maximum, factor * 2.0 ** min(attempt - 1, 1000))
    return random.uniform(0, ceiling)  # noqa: S311 - spreading load, not guarding a secret


def sidekiq(attempt: int) -> float:
    """Seconds to wait after the given failed ``attempt`` (the first is 1), by Sidekiq's curve.

    Its ``count`` is 0 after the first failure; 25 retries take 20 days (lib/sidekiq/job_retry.rb).
    """
    count = attempt - 1
    return float(count**4 + 15 + random.randrange(10 * (count + 1)))  # noqa: S311 - as above
