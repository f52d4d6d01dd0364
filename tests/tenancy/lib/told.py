"""What the jobs of these tests write down."""

from __future__ import annotations

import json
from typing import Any

import redis
from waiting import until


class Told:
    """What jobs have written down."""

    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def __call__(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until so much was told under a name, and return it."""
        key = f"told:{name}"
        until(lambda: self._client.llen(key) >= count, f"{count} times {name}")
        return [json.loads(line) for line in self._client.lrange(key, 0, -1)]

    def names(self) -> set[str]:
        """The names under which anything was told."""
        return {key.removeprefix("told:") for key in self._client.keys("told:*")}
