"""The program about the sample application, and workers that run its jobs."""

from __future__ import annotations

import pytest
from command import command
from fleet import jobs, start_worker

__all__ = ["command", "jobs", "pool", "start_worker"]


@pytest.fixture
def pool() -> str:
    """The pool of the workers: what commands show is the same for all."""
    return "threads"
