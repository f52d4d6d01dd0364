"""What Flaskiq adds to a Celery worker: the loops, and the reconciliation after a reconnect."""

from __future__ import annotations

import logging
from functools import partial
from threading import current_thread, main_thread
from typing import Any
from weakref import WeakSet

from celery import Celery, bootsteps
from celery.signals import worker_shutdown
from celery.worker.consumer.heart import Heart
from redis import RedisError

from flaskiq.broker.connection import open_store
from flaskiq.broker.process import processes
from flaskiq.runtime import pools, refused, request, revoked, tracer
from flaskiq.runtime.facts import facts_of, running
from flaskiq.runtime.loops.loop import Loop
from flaskiq.runtime.loops.recorder import Recorder
from flaskiq.runtime.loops.shared import shared_loops
from flaskiq.runtime.stop import arm_on_shutdown, install_quiet, push_back_prefetched

logger = logging.getLogger(__name__)

LISTENS = 1.0
"""Seconds after a connect in which a worker has begun to listen to broadcasts."""

IDLE_HEART = 30.0
"""Seconds between two ``worker-heartbeat`` events of a worker that sends no events of its jobs."""


_recorders: WeakSet[Recorder] = WeakSet()


def record() -> None:
    """Write what has ended in this program and is not recorded yet.

    Raises:
        redis.RedisError: Redis cannot be reached.
    """
    for recorder in list(_recorders):
        recorder.flush()


@worker_shutdown.connect(weak=False)
def _record_the_rest(**_: Any) -> None:
    for recorder in list(_recorders):
        recorder.stop()
        try:
            recorder.flush()
        except (RedisError, OSError) as error:
            logger.warning("The last counts are lost, since Redis is out of reach: %s", error)


class Preparation(bootsteps.Step):
    """Worker step that prepares a worker for our own pool.

    All steps are made before the first of them is included, the consumer as the last.
    """

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        if pools.fetches(worker.pool_cls):
            worker.pool_cls.prepare(worker)
        super().__init__(worker, **kwargs)


class Loops(bootsteps.StartStopStep):
    """Worker step: the loops run from after the pool has forked until the worker has stopped."""

    requires = ("celery.worker.components:Pool",)

    def __init__(self, worker: Any, **kwargs: Any) -> None:
        super().__init__(worker, **kwargs)
        self._loops: list[Loop] = []

    def start(self, worker: Any) -> None:
        """Start them."""
        app: Celery = worker.app
        tracer.renew()
        request.install(app)
        if not worker.task_events:
            calm(worker.consumer)
        if pools.fetches(worker.pool):
            return  # the loops run in its children, and it stops them by itself
        # At the end of a connection Celery makes the pool forget what no child has begun, and some
        # of it runs all the same. Here a job stays in hand over any number of connections.
        worker.pool.flush = None
        recorder = Recorder(
            partial(open_store, app),
            lambda: [process for process in processes() if process.serves_a_worker],
            running,
        )
        # To the very end: what runs now ends after the other loops.
        recorder.start()
        _recorders.add(recorder)
        self._loops = shared_loops(app, partial(open_store, app))
        for loop in self._loops:
            loop.start()
        if current_thread() is main_thread():  # else the program is not the worker's to end
            arm_on_shutdown(float(app.conf.broker_transport_options["shutdown_timeout"]))
            install_quiet(lambda: worker.consumer)

    def stop(self, worker: Any) -> None:
        """Stop them; running jobs end after this, and then the channel takes its leave."""
        if pools.fetches(worker.pool):
            return
        for loop in self._loops:
            loop.stop()
        for process in processes():
            process.is_stopping = True
        consumer = getattr(worker.consumer, "task_consumer", None)
        if consumer is not None:
            push_back_prefetched(worker.pool, consumer.channel)


class Reconcile(bootsteps.StartStopStep):
    """Consumer step: learn what was revoked, and give back what a reconnect has dropped.

    Celery forgets what it has fetched but not started when the connection is lost
    (celery/worker/consumer/consumer.py, ``on_close``). What runs goes on, in flight as before.
    """

    requires = ("celery.worker.consumer.tasks:Tasks",)

    def start(self, consumer: Any) -> None:
        """Take up the channel that was opened."""
        channel = consumer.task_consumer.channel
        if pools.fetches(consumer.pool):
            consumer.pool.learn_revoked()
            consumer.timer.call_after(LISTENS, consumer.pool.learn_revoked)
            return
        channel.process.serves_a_worker = True
        channel.process.facts = facts_of(
            consumer.app,
            channel.process,
            node=consumer.hostname,
            pool=pools.pool_name(type(consumer.pool)),
            concurrency=consumer.pool.num_processes or 1,
            queues=lambda: list(consumer.app.amqp.queues.consume_from),
        )
        refused.install(consumer)
        consumer.call_soon_ack = partial(acknowledge_now, consumer)
        revoked.learn(channel.store)
        consumer.timer.call_after(LISTENS, revoked.learn, (channel.process.store,))
        push_back_dropped(consumer.pool, channel)


def calm(consumer: Any) -> None:
    """Send ``worker-heartbeat`` events rarely: Celery sends one every two seconds.

    The events carry the interval, by which Flower and gossip tell whether a worker is there.
    """
    hearts: list[Any] = [step for step in consumer.steps if isinstance(step, Heart)]
    for heart in hearts:
        heart.heartbeat_interval = heart.heartbeat_interval or IDLE_HEART


def acknowledge_now(consumer: Any, acknowledge: Any, *args: Any, **kwargs: Any) -> None:
    """Note the end of a job in the thread in which it ends, then let the event loop fetch.

    Celery would queue the acknowledgement for the loop, which stands still during a reconnect and
    at the end of the worker. Here it costs no Redis command and is safe in any thread.
    """
    acknowledge(*args, **kwargs)
    if consumer.hub and current_thread() is not main_thread():
        consumer.hub.call_soon(_wake)


def _wake() -> None:
    """Nothing to do: being called has ended the wait of the event loop."""


def push_back_dropped(pool: Any, channel: Any) -> None:
    """Push back what is in hand from before a reconnect, and has not started."""
    pushed = channel.push_back_unstarted(request.unstarted(pool, channel))
    if pushed:
        logger.info("Pushed back %d jobs that had not started before the reconnect", pushed)


def install(celery: Celery) -> None:
    """Add the steps to the workers of an app."""
    celery.steps["worker"].update((Preparation, Loops))
    celery.steps["consumer"].add(Reconcile)
