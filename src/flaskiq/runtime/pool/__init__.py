"""The runtime's pool: one Celery node outside, processes that fetch for themselves inside.

``FetchPool`` is the name for ``worker_pool`` and ``CELERY_CUSTOM_WORKER_POOL``.
"""

from flaskiq.runtime.pool.pool import FetchPool

__all__ = ["FetchPool"]
