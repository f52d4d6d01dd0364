"""Reads jobs from their queue as anybody else would: kombu's JSON in a plain Redis list."""

from __future__ import annotations

import base64
import json
from datetime import datetime, timezone
from typing import Any

import redis


class Message:
    """One protocol 2 message."""

    def __init__(self, raw: str) -> None:
        envelope = json.loads(raw)
        self.headers: dict[str, Any] = envelope["headers"]
        self.properties: dict[str, Any] = envelope["properties"]
        body = envelope["body"]
        if self.properties.get("body_encoding") == "base64":
            body = base64.b64decode(body)
        self.args, self.kwargs, self.embed = json.loads(body)


def scheduled(store: redis.Redis) -> list[tuple[datetime, Message]]:
    """Return when and what of the scheduled set, the first due first."""
    due = store.zrange("flaskiq:scheduled", 0, -1, withscores=True)
    raw = {job_id: store.hget("flaskiq:scheduled:jobs", job_id) for job_id, _ in due}
    return [
        (datetime.fromtimestamp(at, timezone.utc), Message(raw[job_id].rpartition("\0")[2]))
        for job_id, at in due
    ]


def queued(store: redis.Redis, queue: str = "default") -> list[Message]:
    """Return the messages of a queue, the next one to run first."""
    return [Message(raw) for raw in reversed(store.lrange(queue, 0, -1))]
