"""The sample application and its workers, for what is read and operated through ``flaskiq.api``."""

from __future__ import annotations

import pytest
from fleet import jobs, keep_worker, start_worker

__all__ = ["jobs", "keep_worker", "start_worker"]


@pytest.fixture
def pool() -> str:
    """The pool of the workers: what they record is the same for all."""
    return "threads"
