"""Workers of the sample application, with the prefork and with the threads pool."""

from fleet import jobs, pool, start_worker

__all__ = ["jobs", "pool", "start_worker"]
