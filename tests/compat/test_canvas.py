"""Chains, groups, chords and stamping, of Workers and of plain tasks."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import pytest
from celery import chain, chord, group
from waiting import until


def test_canvas(sample: ModuleType, keep_worker: Any) -> None:
    keep_worker("--concurrency=2")
    Add, total = sample.Add, sample.total
    assert chain(Add.s(1, 2), Add.s(10), Add.s(100)).delay().get(timeout=20) == 113
    assert group(Add.s(n, n) for n in range(10)).delay().get(timeout=20) == list(range(0, 20, 2))
    assert chord([Add.s(n, n) for n in range(10)], total.s()).delay().get(timeout=20) == 90
    assert chord([Add.s(n, n) for n in range(10)])(total.s()).get(timeout=20) == 90
    mixed = chain(group(Add.s(1, 1), Add.s(2, 2)), total.s(), Add.s(1), sample.plain.s())
    assert mixed.delay().get(timeout=20)[0] == 7
    late = chord([Add.s(1, 1).set(countdown=0.5), Add.s(2, 2)], total.s())
    assert late.delay().get(timeout=20) == 6


def test_a_retried_part_counts_once(sample: ModuleType, keep_worker: Any) -> None:
    keep_worker("--concurrency=2")
    assert chord([sample.Fails.s(3), sample.Add.s(1, 1)])(sample.total.s()).get(timeout=30) == 5


def test_a_failed_part_fails_the_chord(sample: ModuleType, keep_worker: Any) -> None:
    keep_worker("--concurrency=2")
    failing = sample.Fails.s(9).set(headers={"flaskiq_max_retries": 0})
    body = chord([failing, sample.Add.s(1, 1)])(sample.total.s())
    with pytest.raises(Exception, match="attempt 1"):
        body.get(timeout=30)
    until(lambda: body.status == "FAILURE", "the body has failed")


def test_stamps_reach_the_job(sample: ModuleType, keep_worker: Any) -> None:
    keep_worker("--concurrency=2")
    stamped = sample.stamps.si()
    stamped.stamp(order="42")
    assert stamped.delay().get(timeout=20) == {"order": "42"}
    steps = chain(sample.Add.s(1, 1), sample.stamps.si())
    steps.stamp(order="43")
    assert steps.delay().get(timeout=20) == {"order": "43"}


def test_a_stamp_revokes(sample: ModuleType, keep_worker: Any) -> None:
    keep_worker("--concurrency=2")
    revoke = sample.celery_app.control.revoke_by_stamped_headers
    until(lambda: revoke({"order": ["44"]}, reply=True, timeout=1), "the worker has heard it")
    stamped = sample.stamps.si()
    stamped.stamp(order="44")
    with pytest.raises(Exception, match="revoked"):
        stamped.delay().get(timeout=20)
