"""Right uses of flaskiq.testing: accepted by mypy --strict and pyright, with these types."""

from __future__ import annotations

import unittest
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from unittest.mock import ANY

from celery import Celery
from typing_extensions import assert_type

from flaskiq import Worker
from flaskiq.testing import (
    EnqueuedJob,
    State,
    advance,
    assert_cron,
    assert_enqueued,
    clear,
    drain,
    enqueued,
    fake,
    inline,
    perform_one,
    real,
    refute_enqueued,
)

celery = Celery("typed")


class Import(Worker):
    @classmethod
    def perform(cls, user_id: int) -> str:
        return ""


@celery.task
def plain(number: int) -> int:
    return number


@fake()
def decorated(number: int, text: str = "") -> list[str]:
    return []


@inline()
async def coroutine(number: int) -> bytes:
    return b""


@real(timeout=5)
class Case(unittest.TestCase):
    def test_one(self) -> None: ...


assert_type(decorated(1, text="two"), list[str])


async def awaited() -> None:
    assert_type(await coroutine(1), bytes)


assert_type(Case("test_one"), Case)

with fake() as of_fake, inline() as of_inline, real(worker=False) as of_real:
    assert_type(of_fake, fake)
    assert_type(of_inline, inline)
    assert_type(of_real, real)
    assert_type(of_real.url(celery), str)
    assert_type(of_fake.drain(Import, queue="low", scheduled=True, raises=False), int)
    assert_type(of_fake.perform_one(Import), EnqueuedJob)
    assert_type(of_fake.enqueued(), list[EnqueuedJob])

assert_type(drain(), int)
assert_type(drain(plain, scheduled=60), int)
assert_type(drain("name.of.a.Worker", scheduled=timedelta(hours=1)), int)
assert_type(perform_one(Import, queue="low", raises=False), EnqueuedJob)
clear()
advance(60)
advance(timedelta(days=1))
assert_type(enqueued(), list[EnqueuedJob])
assert_type(enqueued(Import, args=(1,), queue="low"), list[EnqueuedJob])
assert_type(
    assert_enqueued(
        Import,
        args=[ANY],
        kwargs={"user_id": 1},
        queue="low",
        at=datetime(2030, 1, 1),
        tenant={"organization_id": 7},
        state=State.DONE,
        count=2,
    ),
    list[EnqueuedJob],
)
assert_enqueued(plain, at=None, tenant=None)
assert_enqueued(Import, at=60.5)
assert_enqueued(Import, at=timedelta(days=3))
refute_enqueued("name.of.a.Worker", args=())
assert_cron(Import, at=datetime(2030, 1, 1))


def job(given: EnqueuedJob) -> None:
    assert_type(given.id, str)
    assert_type(given.worker, str)
    assert_type(given.args, Sequence[Any])
    assert_type(given.kwargs, Mapping[str, Any])
    assert_type(given.queue, str)
    assert_type(given.at, datetime | None)
    assert_type(given.enqueued_at, datetime)
    assert_type(given.tenant, Mapping[str, str] | None)
    assert_type(given.state, State)
    assert_type(given.attempt, int)


def fixtures(flaskiq_fake: fake, flaskiq_inline: inline, flaskiq_worker: real) -> None:
    assert_type(flaskiq_fake.drain(), int)
    flaskiq_inline.clear()
    flaskiq_worker.advance(60)
