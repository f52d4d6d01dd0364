"""The sample application and its workers, for what is read and operated through ``flaskiq.api``."""

from __future__ import annotations

from fleet import jobs, pool, start_worker

__all__ = ["jobs", "pool", "start_worker"]
