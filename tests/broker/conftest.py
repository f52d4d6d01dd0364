"""Workers of the sample application, with the prefork and with the threads pool."""

from fleet import jobs, keep_worker, pool, start_worker

__all__ = ["jobs", "keep_worker", "pool", "start_worker"]
