"""Workers of Flaskiq, plain and ``async def``."""

from __future__ import annotations

import asyncio
from typing import Any

from flask import current_app

from flaskiq import Worker, current_job


class Add(Worker):
    """Returns a sum, and where it ran."""

    @classmethod
    def perform(cls, left: int, right: int) -> list[Any]:
        return [left + right, current_app.name, current_job.attempt]


class AddAsync(Worker):
    """Returns the same, later."""

    @classmethod
    async def perform(cls, left: int, right: int) -> list[Any]:
        await asyncio.sleep(0.01)
        return [left + right, current_app.name, current_job.attempt]


class Fails(Worker):
    """Fails until the given attempt."""

    max_retries = 2
    retry_backoff = False
    retry_delay = 0

    @classmethod
    def perform(cls, until_attempt: int) -> int:
        if current_job.attempt < until_attempt:
            raise LookupError(f"attempt {current_job.attempt}")
        return current_job.attempt


class FailsAsync(Fails):
    """Fails until the given attempt, later."""

    @classmethod
    async def perform(cls, until_attempt: int) -> int:  # type: ignore[override]
        await asyncio.sleep(0.01)
        return super().perform(until_attempt)
