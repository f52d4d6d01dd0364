"""Modes as such: whom they reach, how they are entered, and what they refuse."""

from __future__ import annotations

import asyncio
import threading
import time
import unittest
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from servers import required

from flaskiq import Batch, ContextError, Flaskiq, Kill, Worker, api
from flaskiq.testing import (
    ModeError,
    State,
    advance,
    clear,
    drain,
    enqueued,
    fake,
    in_memory,
    inline,
    perform_one,
    real,
)


def reaches_redis(kit: ModuleType) -> bool:
    """Whether jobs would go where the settings say, which is nowhere."""
    connection = kit.celery_app.producer_pool.connections.connection
    return bool(connection.port == 1)


# Whom it reaches.


def test_nothing_changes_without_a_block(kit: ModuleType) -> None:
    assert reaches_redis(kit)
    with fake():
        kit.Add.perform_async(1)
    assert reaches_redis(kit)
    with pytest.raises(ModeError, match=r"no mode of flaskiq\.testing is active here"):
        enqueued()


def test_a_block_that_raises_ends_too(kit: ModuleType) -> None:
    with pytest.raises(ZeroDivisionError), fake():
        raise ZeroDivisionError
    assert reaches_redis(kit)


def test_blocks_can_be_nested_and_the_inner_one_counts(kit: ModuleType) -> None:
    required()
    with fake() as outer:
        kit.Add.perform_async(1)
        with inline() as inner:
            assert kit.Add.perform_async(2).get() == 2
            with real():
                assert kit.Add.perform_async(3).get(timeout=5) == 3
                with real() as innermost:
                    assert kit.Add.perform_async(4).get(timeout=5) == 4
                    assert len(innermost.enqueued()) == 1
                assert kit.Add.perform_async(5).get(timeout=5) == 5
                assert [job.args for job in enqueued()] == [[3], [5]]
            assert len(inner.enqueued()) == 1
        assert [job.state for job in enqueued()] == [State.QUEUED]
        assert outer.drain() == 1


def test_a_mode_that_is_active_is_not_entered_again() -> None:
    mode = fake()
    with mode, pytest.raises(ModeError, match="active already"):
        mode.__enter__()
    with mode:
        assert mode.enqueued() == []


def test_another_thread_is_not_in_the_block(kit: ModuleType) -> None:
    found: list[bool] = []

    def run() -> None:
        with kit.app.app_context():
            found.append(reaches_redis(kit))

    with fake():
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        assert enqueued() == []
    assert found == [True]


def test_tasks_of_an_event_loop_have_modes_of_their_own(kit: ModuleType) -> None:
    async def one(number: int) -> list[list[Any]]:
        with fake():
            for _ in range(number):
                await asyncio.sleep(0)
                kit.Add.perform_async(number)
            drain()
            return [list(job.args) for job in enqueued()]

    async def both() -> list[Any]:
        return await asyncio.gather(one(1), one(3))

    assert asyncio.run(both()) == [[[1]], [[3]] * 3]


def test_a_coroutine_of_a_job_runs_where_an_event_loop_runs(kit: ModuleType) -> None:
    async def test() -> None:
        with inline():
            assert kit.Async.perform_async("word").get() == "WORD"
        with fake():
            result = kit.Async.perform_async("word")
            drain()
            assert result.get() == "WORD"

    asyncio.run(test())


def test_an_app_that_is_made_in_the_block_is_in_it() -> None:
    required()

    def make() -> tuple[Flask, Any]:
        app = Flask("made")
        app.config["CELERY_BROKER_URL"] = "redis://127.0.0.1:1/0"
        celery = Flaskiq(app).celery

        @celery.task(shared=False)
        def made() -> None: ...

        return app, made

    for mode in (fake(), inline(), real()):
        with mode:
            app, task = make()
            with app.app_context():
                task.delay()
                drain()
                assert [job.state for job in enqueued()] == [State.DONE]


def test_a_mode_works_within_the_block_of_another_and_not_after_its_own(kit: ModuleType) -> None:
    with fake() as outer:
        kit.Spawn.perform_async()
        with fake():
            assert outer.drain() == 4
            assert enqueued() == []
        assert len(enqueued()) == 4
    for use in (outer.drain, outer.perform_one, lambda: outer.advance(1)):
        with pytest.raises(ModeError, match="is not active"):
            use()


def test_nothing_of_a_block_is_left_in_the_app(kit: ModuleType) -> None:
    required()
    with real():
        kit.Add.perform_in(100, 1).revoke()
        assert len(kit.celery_app.control.inspect(timeout=5, limit=1).ping()) == 1
    with real() as first, real() as second:
        assert len(kit.celery_app.control.inspect(timeout=5, limit=1).ping()) == 1
        assert first.url(kit.celery_app) != second.url(kit.celery_app)
    assert reaches_redis(kit)
    assert kit.celery_app.amqp.producer_pool.connections.connection.port == 1


# How it is entered.


@fake()
def test_a_function_can_be_decorated(kit: ModuleType) -> None:
    kit.Add.perform_async(1)
    assert len(enqueued()) == 1


def test_a_coroutine_function_can_be_decorated(kit: ModuleType) -> None:
    @fake()
    async def test() -> int:
        await asyncio.sleep(0)
        kit.Add.perform_async(1)
        return len(enqueued())

    assert [asyncio.run(test()), asyncio.run(test())] == [1, 1]


def test_test_classes_can_be_decorated(kit: ModuleType) -> None:
    @fake()
    class Case(unittest.TestCase):
        def test_one(self) -> None:
            kit.Add.perform_async(1)
            assert len(enqueued()) == 1

        @staticmethod
        def test_other() -> None:
            assert enqueued() == []

        def helper(self) -> None: ...

    found = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Case).run(found)
    assert (found.testsRun, found.failures, found.errors) == (2, [], [])


# What it refuses.


def test_an_eager_app_is_refused(kit: ModuleType) -> None:
    kit.celery_app.conf.task_always_eager = True
    try:
        with pytest.raises(ModeError, match="take the setting out"), fake():
            pass
    finally:
        kit.celery_app.conf.task_always_eager = False


def test_what_only_redis_has_is_refused(kit: ModuleType) -> None:
    with fake():
        for ask in (
            api.numbers,
            api.metrics,
            lambda: api.Queue("low").pause(),
            api.cron_entries,
            kit.celery_app.control.ping,
            lambda: kit.celery_app.connection_for_write().connect(),
            lambda: kit.celery_app.control.inspect().active(),
        ):
            with pytest.raises(ModeError, match="real"):
                ask()


def test_a_result_that_nobody_makes_is_not_waited_for(kit: ModuleType) -> None:
    with fake():
        result = kit.Add.perform_async(1)
        with pytest.raises(ModeError, match=r"call flaskiq\.testing\.drain\(\)"):
            result.get()
        assert result.state == "PENDING"


def test_a_job_that_always_snoozes_does_not_hang_the_test(
    kit: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_memory, "MOST", 20)
    with fake():
        kit.Sleeper.perform_async(10_000)
        with pytest.raises(ModeError, match="has run 20 times"):
            drain(scheduled=True)


def test_a_drain_of_real_ends(kit: ModuleType) -> None:
    required()
    with real(worker=False, timeout=0.2):
        kit.Add.perform_async(1)
        with pytest.raises(ModeError, match=r"1 jobs have not run within 0\.2 s, and real\(worker"):
            drain()
        assert [job.state for job in enqueued()] == [State.QUEUED]
        assert api.Queue("default").size == 1


def test_cron_of_no_app_in_particular_is_refused(kit_app: ModuleType) -> None:
    other = Flask("other")
    other.config["CELERY_BROKER_URL"] = "redis://127.0.0.1:1/0"
    Flaskiq(other)
    with fake(), pytest.raises(ContextError, match="none is current"):
        advance(60)


# One job at a time.


def test_one_job_can_be_performed(kit: ModuleType) -> None:
    with fake():
        kit.Say.perform_async("low")
        kit.Add.perform_async(1)
        kit.double.delay(2)
        assert perform_one(kit.double).state is State.DONE
        assert perform_one().worker == "kit_app.Add"
        assert perform_one(queue="low").args == ["low"]
        with pytest.raises(ModeError, match="no such job is ready"):
            perform_one()
        kit.Flaky.perform_async(1)
        with pytest.raises(LookupError):
            perform_one()
        assert enqueued(kit.Flaky)[0].state is State.RETRYING
        clear()
        kit.Flaky.perform_async(1)
        assert perform_one(raises=False).state is State.RETRYING


def test_drain_can_be_about_one_worker_or_queue(kit: ModuleType) -> None:
    with fake():
        kit.Say.perform_async("one")
        kit.Add.perform_async(1)
        kit.Say.set(queue="critical").perform_async("two")
        kit.Say.perform_in(60, "three")
        assert drain(kit.Say, queue="critical") == 1
        assert drain(kit.Say, scheduled=True) == 2
        assert kit.told == [("two", {}), ("one", {}), ("three", {})]
        assert drain(kit.double) == 0
        assert drain() == 1


def test_drain_raises_the_first_error_when_all_have_run(kit: ModuleType) -> None:
    with fake():
        kit.fails.delay()
        kit.Add.perform_async(1)
        kit.Flaky.perform_async(1)
        with pytest.raises(OSError, match="failed"):
            drain()
        assert ("add", 1, 0) in kit.told
        kit.Flaky.perform_async(9)
        assert drain(raises=False) == 1


# Inline.


def test_inline_raises_from_the_call_and_runs_the_others(kit: ModuleType) -> None:
    with inline():
        with pytest.raises(OSError, match="not in retry_on"):
            kit.Ends.perform_bulk([("other",), ("discard",)])
        assert kit.told == ["other", ("on_error", 1), ("on_death", 1), "discard"]
        batch = Batch()

        def fill() -> None:
            with batch:
                kit.Add.perform_async(1)
                kit.Ends.perform_async("kill")

        with pytest.raises(Kill):
            fill()
        assert batch.status().dead == 1


def test_an_error_of_the_kind_that_a_broker_raises_is_the_job_s(kit: ModuleType) -> None:
    class Refused(Worker):
        max_retries = 0

        @classmethod
        def perform(cls) -> None:
            kit.told.append("ran")
            raise ConnectionRefusedError("of the job")

    with inline():
        with pytest.raises(ConnectionRefusedError, match="of the job"):
            Refused.perform_async()
        with pytest.raises(ConnectionRefusedError, match="of the job"):
            Refused.perform_in(60)
    assert kit.told.count("ran") == 2


# Real.


def test_a_block_leaves_no_thread_behind(kit: ModuleType) -> None:
    required()
    with real():
        kit.Add.perform_async(1).get(timeout=5)
    deadline = time.monotonic() + 10
    while any("flaskiq" in thread.name for thread in threading.enumerate()):
        assert time.monotonic() < deadline, threading.enumerate()
        time.sleep(0.01)


def test_a_job_that_fails_in_real_has_its_own_traceback(kit: ModuleType) -> None:
    required()
    with real():
        kit.Ends.perform_async("other")
        with pytest.raises(OSError, match="not in retry_on") as found:
            drain()
    assert found.traceback[-1].path.name == "kit_app.py"
