"""How a worker ends: first TERM waits for running jobs, but not for ever; TSTP only stops fetching.

Celery waits for running jobs as long as they take. A platform that stops programs kills them after
a while, and their jobs would be found by the reapers only: so what has not finished in time goes
back to the front of its queue *before* this process ends (Sidekiq, ``Manager#hard_shutdown``: it is
worse to lose a job than to run it twice).
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from typing import Any

from celery.signals import worker_shutting_down
from celery.worker import state
from redis import RedisError

from flaskiq.broker.process import Process, processes
from flaskiq.runtime.request import unstarted
from flaskiq.runtime.told import tell_interrupted

logger = logging.getLogger(__name__)

LAST_SECONDS = 3.0
"""How long the program may take to end after its jobs were pushed back."""


def arm_on_shutdown(timeout: float) -> None:
    """From the order to stop on, give the worker ``timeout`` seconds to end."""

    ordered = threading.Event()

    def arm(**_: Any) -> None:
        # A handler of a signal: gevent allows no start of a thread here.
        ordered.set()

    worker_shutting_down.connect(arm, weak=False)
    threading.Thread(
        target=_enforce, args=(ordered, timeout), name="flaskiq-stop", daemon=True
    ).start()


def _enforce(ordered: threading.Event, timeout: float) -> None:
    """End the program after ``timeout`` seconds; if it ends by itself, this thread ends with it."""
    ordered.wait()
    time.sleep(timeout)
    running = [request.so_far("requeued") for request in state.active_requests]
    for process in processes():
        pushed = push_back_all(process)
        logger.warning(
            "%d jobs have not finished %s s after the order to stop; they are in front of their "
            "queues again",
            pushed,
            timeout,
        )
        process.leave()
    for each in running:
        tell_interrupted(each)
    os.kill(os.getpid(), signal.SIGQUIT)
    # A thread that runs a job cannot be interrupted, and would keep the program from ending.
    time.sleep(LAST_SECONDS)
    logging.shutdown()
    os._exit(0)


def push_back_prefetched(pool: Any, channel: Any) -> None:
    """Push back what has not started, while running jobs end."""
    try:
        channel.end_fetch()
        pushed = channel.push_back_unstarted(unstarted(pool, channel))
    except (RedisError, OSError) as error:
        logger.warning("What is prefetched goes back later, since Redis is out of reach: %s", error)
    else:
        logger.info("Pushed back %d jobs that had not started", pushed)


def push_back_all(process: Process) -> int:
    """Push everything in hand back to the front of its queue; return how many jobs."""
    store = process.store
    seqs = [process.hand.release(tag) for tag in process.hand.tags()]
    return store.processes.requeue(process.id, [seq for seq in seqs if seq is not None])


def install_quiet(consumer_of: Any) -> None:
    """Let TSTP stop the fetching; running jobs go on, and the program stays until TERM."""
    signal.signal(signal.SIGTSTP, lambda *_: quiet(consumer_of()))


def quiet(consumer: Any) -> None:
    """Fetch nothing more."""
    logger.warning("Quiet: fetching no more jobs")
    consumer.task_consumer.channel.process.is_quiet = True
    for queue in list(consumer.app.amqp.queues.consume_from):
        consumer.cancel_task_queue(queue)
