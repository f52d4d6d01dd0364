"""Wrong calls: each line that ends in WRONG is an error in mypy --strict and in pyright."""

from __future__ import annotations

from datetime import datetime

from flaskiq import Worker


class Import(Worker):
    @classmethod
    def perform(cls, user_id: int, data: dict[str, str], dry: bool = False) -> list[str]:
        return []


class Fetch(Worker):
    @classmethod
    async def perform(cls, url: str) -> bytes:
        return b""


Import.perform_async("1", {"a": "b"})  # WRONG
Import.perform_async(1)  # WRONG
Import.perform_async(1, {}, True, 4)  # WRONG
Import.perform_async(1, {}, dri=True)  # WRONG
Import.perform_async(1, {"a": 1})  # WRONG
Fetch.perform_async(3)  # WRONG
Import.perform_in("60", 1, {})  # WRONG
Import.perform_in(60, 1)  # WRONG
Import.perform_in(delay_seconds="300", user_id=1, data={})  # WRONG
Import.perform_at(60, 1, {})  # WRONG
Import.perform_at(datetime(2030, 1, 1), "1", {})  # WRONG
Import.perform_bulk(5)  # WRONG
Import.perform_bulk([(1, {})], at=5)  # WRONG
Import.perform_inline("1", {})  # WRONG
Import.set(queeue="low")  # WRONG
Import.set(priority=3)  # WRONG
Import.set(max_retries=None)  # WRONG
Import.set(queue="low").perform_async("1", {})  # WRONG
Import.set(queue="low").perform_in(5, 1)  # WRONG
Import.perform_async(1, {}).get(timeout=5).keys()  # WRONG
