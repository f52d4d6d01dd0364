"""Right calls: accepted by mypy --strict and pyright, with these types."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from celery.result import AsyncResult
from typing_extensions import assert_type

from flaskiq import Worker


class Import(Worker):
    queue = "low"

    @classmethod
    def perform(cls, user_id: int, data: dict[str, str], dry: bool = False) -> list[str]:
        return []


class Fetch(Worker):
    @classmethod
    async def perform(cls, url: str) -> bytes:
        return b""


class Anything(Worker):
    @classmethod
    def perform(cls, *args: Any, **kwargs: Any) -> None: ...


assert_type(Import.perform(1, {"a": "b"}), list[str])
assert_type(Import.perform_async(1, {"a": "b"}), AsyncResult[list[str]])
assert_type(Import.perform_async(user_id=1, data={}, dry=True).get(timeout=5), list[str])
assert_type(Import.perform_in(60, 1, {}), AsyncResult[list[str]])
assert_type(Import.perform_in(timedelta(minutes=1), 1, data={}), AsyncResult[list[str]])
assert_type(Import.perform_in(delay_seconds=300, user_id=1, data={}), AsyncResult[list[str]])
assert_type(Import.perform_at(datetime(2030, 1, 1), 1, {}), AsyncResult[list[str]])
assert_type(
    Import.perform_bulk([(1, {}), {"user_id": 2, "data": {}}, ((3,), {"data": {}})]),
    Sequence[AsyncResult[list[str]]],
)
assert_type(Import.perform_inline(1, {}), list[str])
assert_type(
    Import.set(queue="critical", max_retries=0).set(delay=5).perform_async(1, {}),
    AsyncResult[list[str]],
)
assert_type(Import.set(expires=60).perform_in(5, 1, {}), AsyncResult[list[str]])
assert_type(Fetch.perform_async("http://localhost"), AsyncResult[bytes])
assert_type(Fetch.perform_inline(url="http://localhost"), bytes)
assert_type(Fetch.set(headers={"a": 1}).perform_inline("http://localhost"), bytes)
assert_type(Anything.perform_async(1, "two", three=3), AsyncResult[None])
