"""Counters: what Celery itself keeps of a chord (celery/backends/redis.py)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from celery import states
from kombu.utils.encoding import bytes_to_str
from redis.exceptions import ResponseError

SIZE, ENDED, EXTRA, COUNTED, CLAIM = ".s", ".j", ".t", ".d", ".c"

DONE = b"done"


class Ended(NamedTuple):
    """A part that was counted; ``position`` is its place in the results, as Redis has it."""

    id: str
    state: str
    result: Any
    position: str

    @property
    def error(self) -> str | None:
        """What it failed with."""
        if self.state not in states.EXCEPTION_STATES:
            return None
        result = self.result
        if not isinstance(result, dict):
            return str(result)
        message = result.get("exc_message")
        text = ", ".join(map(str, message)) if isinstance(message, (list, tuple)) else message
        return f"{result.get('exc_type')}: {text}"


class Counters(NamedTuple):
    """``size`` is None if there is none; ``claim`` of who calls the body, ``done`` when it has."""

    size: int | None
    extra: int
    ended: list[Ended]
    claim: bytes | None

    @property
    def expected(self) -> int | None:
        """How many parts Celery waits for."""
        return None if self.size is None else self.size + self.extra

    @property
    def has_failed(self) -> bool:
        """Whether one of the parts that were counted has failed or was revoked."""
        return any(each.state in states.PROPAGATE_STATES for each in self.ended)

    @property
    def is_known(self) -> bool:
        """Whether Celery keeps anything of it."""
        return self.size is not None or bool(self.ended) or self.claim is not None


def read(backend: Any, chord_id: str) -> Counters:
    """Return what Celery keeps of a chord; results are in a sorted set, or by setting in a list."""
    size, extra, ended, claim, counted = (
        backend.get_key_for_group(chord_id, part) for part in (SIZE, EXTRA, ENDED, CLAIM, COUNTED)
    )
    with backend.client.pipeline(transaction=False) as pipe:
        pipe.mget(size, extra, claim)
        pipe.smembers(counted)
        pipe.zrange(ended, 0, -1, withscores=True)
        (found_size, found_extra, found_claim), indexes, scored = pipe.execute(raise_on_error=False)
    positions = dict(bytes_to_str(each).rpartition(":")[::2] for each in indexes)
    if isinstance(scored, ResponseError):  # result_chord_ordered is off
        scored = [(raw, None) for raw in backend.client.lrange(ended, 0, -1)]
    return Counters(
        None if found_size is None else int(found_size),
        int(found_extra or 0),
        [_ended(raw, positions, score) for raw, score in scored],
        found_claim,
    )


def chord_ids(backend: Any) -> Iterator[str]:
    """Yield the chords that Celery waits for, found by SCAN."""
    start, end = (bytes_to_str(each) for each in backend.get_key_for_group("\0", SIZE).split(b"\0"))
    for key in backend.client.scan_iter(f"{_literal(start)}*{end}", count=1_000):
        yield bytes_to_str(key)[len(start) : -len(end)]


def _literal(text: str) -> str:
    """A text in which Redis finds no wildcard."""
    return "".join(f"\\{each}" if each in "*?[]\\^" else each for each in text)


def _ended(raw: bytes, positions: dict[str, str], score: float | None) -> Ended:
    _, part_id, state, result = json.loads(raw)
    position = "+inf" if score is None else f"{score:.0f}"
    return Ended(part_id, state, result, positions.get(part_id, position))
