"""Fetcher: how the threads of a child come by their jobs, and what goes to Redis with a fetch.

One thread leads: it talks to Redis, the others run jobs or wait until it lets go. So a child has
one waiter in Redis however many threads, and the thread that was woken runs the job itself. Of
many short jobs one thread asks for the next before it needs them, and reads the reply when it does.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from time import sleep
from typing import Any

from hiredis import pack_command
from redis import RedisError
from redis.exceptions import NoScriptError

from flaskiq.broker.fetch import Fetching
from flaskiq.broker.outages import outages
from flaskiq.broker.pace import MOST
from flaskiq.broker.results import Outbox
from flaskiq.runtime.pool.slots import Slots
from flaskiq.runtime.pool.spin import Spin
from flaskiq.store.line import Line
from flaskiq.store.prepared_fetch import DEATHS_MARK
from flaskiq.store.processes import Fetched, read_fetch
from flaskiq.store.results import Results, StateOf

logger = logging.getLogger(__name__)

PAUSE = 0.5
"""Seconds between two tries while Redis is out of reach, on average."""

PATIENCE = 10.0
"""Seconds without an answer after which a connection leads nowhere."""

ASK_AGAIN = 1.0
"""Seconds after which a thread looks again that was told to fetch nothing."""

AHEAD = 2
"""The next fetch is sent when this part of the last one is left: half of it."""

NEVER = -1

TRIES, TRY_AGAIN = 200, 0.002
"""How often a wait is ended that Redis does not know of yet, and seconds between."""

_MARK = DEATHS_MARK.encode()


class Fetcher:
    """Fetches for the threads of one child, over a channel that keeps the books.

    Args:
        channel: of our broker; its process is this one.
        threads: how many call :meth:`next`.
        multiplier: jobs in hand for each of them, 0 for any number.
        tell: is told the identity of the process before it fetches under it.

    ``before_wait`` is called before a wait for work, ``after_send`` while Redis works on a fetch.
    """

    def __init__(
        self,
        channel: Any,
        slots: Slots,
        outbox: Outbox,
        *,
        queues: list[str],
        threads: int,
        multiplier: int,
        tell: Callable[[str], None],
    ) -> None:
        self.queues = queues
        self.is_quiet = False
        self.is_stopping = False
        self.before_wait: Callable[[], None] = lambda: None
        self.after_send: Callable[[], None] = lambda: None
        self.is_held: Callable[[], bool] = lambda: False
        self._channel, self._process = channel, channel.process
        self._hand = channel.process.hand
        self._slots, self._outbox, self._tell = slots, outbox, tell
        self._threads, self._multiplier = threads, multiplier
        self._local: deque[Fetched] = deque()
        self._last_queue: str | None = None
        self._lead = threading.Lock()
        self._changed = threading.Event()
        self._line: Line | None = None
        self._client_id: int | None = None
        self._under_way: Fetching | None = None
        self._ask_at = NEVER
        self._must_reconcile = False
        self._spin = Spin()
        self._idle = False
        self._waiting = False
        self._is_resting = False
        channel.on_finish = self.note_finished
        channel.serve(queues)
        self._store = channel.make_store(PATIENCE)
        self._results = Results(self._store.client, self._store.keys)

    def next(self) -> Fetched | None:
        """Return a job to run, as soon as there is one; None when the child is to end."""
        while not self.is_stopping:
            if self._local:
                try:
                    fetched = self._local.popleft()
                except IndexError:  # another thread was faster
                    continue
                if len(self._local) == self._ask_at:
                    self._ask_ahead()
                return fetched
            if not self._lead.acquire(blocking=False):
                if self._waiting:
                    self.flush()
                self._lead.acquire()
            try:
                if not (self._local or self.is_stopping):
                    self._fetch()
            finally:
                self._lead.release()
        return None

    def serve(self, queues: list[str]) -> None:
        """Fetch from these queues from now on."""
        self.queues = queues
        self._channel.serve(queues)
        self.wake()

    def note_finished(self, tag: str) -> None:
        """Note that a job is over, and will be acknowledged."""
        seq = int(tag)
        if seq not in self._outbox:
            # It outlives this process: from here on the job never runs again.
            self._slots.finish(seq)
        if self._is_resting:
            self._changed.set()

    @property
    def has_unstarted(self) -> bool:
        """Whether jobs lie here that no thread has begun, or are on their way."""
        return bool(self._local) or self._under_way is not None

    @property
    def has_unsent(self) -> bool:
        """Whether something is finished that Redis does not know of."""
        return bool(self._hand.has_finished)

    def push_back_unstarted(self) -> int:
        """Push back what no thread has begun; return how many jobs.

        Raises:
            redis.RedisError, OSError: Redis is out of reach, and they lie here as before.
        """
        self._land()
        jobs: list[Fetched] = []
        with suppress(IndexError):
            while True:
                jobs.append(self._local.popleft())
        try:
            return int(self._channel.push_back_unstarted([job.tag for job in jobs]))
        except (RedisError, OSError):
            for job in jobs:
                self._hand.hold(job.tag, job.seq)
            self._local.extend(jobs)
            raise

    def flush(self) -> None:
        """Send what is finished now, over another connection than that of the leader."""
        acks = self._hand.take_acks()
        results = self._outbox.take(acks)
        try:
            if results:
                self._count_fenced(self._write_beside(results))
            if acks:
                removed = self._store.processes.acknowledge(self._process.id, acks)
                self._channel.count_fenced(acks, removed)
        except (RedisError, OSError) as error:
            outages.note()
            self._outbox.add(*results)
            self._hand.finish_again(acks)
            logger.warning("What is finished is told to Redis later: %s", error)
        else:
            self._note_written(results)

    def tell_started(self) -> None:
        """Write which of the jobs that run have started, for those who ask for their state."""
        try:
            self._outbox.write_started(self._write_beside)
        except (RedisError, OSError) as error:
            logger.debug("Nobody is told what has started: %s", error)

    def _write_beside(self, states: list[StateOf]) -> int:
        command = self._results.store_all_command(self._process.id, states)
        return int(self._store.client.execute_command(*command))

    def wake(self) -> None:
        """End the wait of the leader: something has changed."""
        self._changed.set()
        with suppress(RedisError, OSError):  # then it ends by itself within a second or so
            for _ in range(TRIES):
                if not self._waiting or self._is_unblocked():
                    return
                sleep(TRY_AGAIN)

    def _is_unblocked(self) -> bool:
        """End the wait, if Redis knows of it yet."""
        return self._client_id is not None and bool(
            self._store.client.client_unblock(self._client_id)
        )

    def _fetch(self) -> None:
        try:
            if self._under_way is None and not self._ask():
                self._rest()
            else:
                self._receive()
        except (RedisError, OSError) as error:
            self._lose(error)
            self._changed.wait(random.uniform(0, 2 * PAUSE))  # noqa: S311 - spreads the load
            self._changed.clear()

    def _ask(self) -> bool:
        """Send the fetch, with results and acknowledgements; False if there is to be none now.

        If the last one found nothing, the wait for a wake token goes before the fetch: Redis runs
        it the moment the wait ends. With something to send there is no wait.
        """
        self._waiting = self._idle  # from here on: who changes something sees it, or is seen
        queues = self._servable()
        if not queues:
            self._waiting = False
            return False
        if self._idle:
            self.before_wait()
        self._waiting = woken = self._idle and not self.has_unsent
        credit, idle = self._credit()
        self._under_way = fetching = self._channel.next_fetch(
            queues, credit, least=idle, woken=woken, outbox=self._outbox
        )
        command = fetching.command
        if woken:
            command = pack_command(self._channel.wait_for(queues)) + command
        line = self._line or self._connect()
        line.send(command)
        self.after_send()
        return True

    def _servable(self) -> list[str]:
        """Return the queues to fetch from now."""
        if self._must_reconcile:
            self._reconcile()
        if self._process.is_taken_for_dead:
            self._start_anew()
        if self._last_queue is not None:  # not earlier: a job would have waited for it
            self._channel.rotate(self._last_queue)
            self._last_queue = None
        if self.is_quiet or self._hand.wants_no_company or self.is_held():
            return []
        queues: list[str] = self._channel.served(self.queues)
        return queues

    def _ask_ahead(self) -> None:
        """Let Redis work on the next fetch while the rest of the last one runs."""
        self._ask_at = NEVER
        if self._under_way is None and self._lead.acquire(blocking=False):
            try:
                self._ask()
            except (RedisError, OSError) as error:
                self._lose(error)
            finally:
                self._lead.release()

    def _land(self) -> None:
        """Take what is on its way, if nobody else is about to."""
        if self._under_way is None or not self._lead.acquire(blocking=False):
            return
        try:
            if self._under_way is not None:
                self._receive()
        except (RedisError, OSError) as error:
            self._lose(error)
            raise
        finally:
            self._lead.release()

    def _receive(self) -> None:
        """Take what the fetch under way brings."""
        fetching, line = self._under_way, self._line
        assert fetching is not None
        assert line is not None
        if self._waiting:
            self._await_token(line)
        elif self._threads == 1 and fetching.credit == 1:
            self._spin.wait(line.socket)
        try:
            acknowledged, jobs = read_fetch(line.read(), fetching.queues)
        except NoScriptError:  # that is an answer: it has brought nothing
            self._give_back()
            self._hand.landed()
            self._idle = False
            self._store.processes.load_fetch()
            return
        self._under_way = None
        if fetching.acks:
            self._note_written(fetching.results)
            self._channel.count_fenced(fetching.acks, acknowledged)
        self._idle = not jobs
        # Before a job starts this is asked anyway: of one, that is in a moment.
        if len(jobs) > 1 and self._process.is_taken_for_dead:
            return
        # It is a job that must run alone: the script lets it come alone.
        alone = len(jobs) == 1 and _MARK in jobs[0].message
        self._hand.land(jobs, alone=alone)
        self._local.extend(jobs)
        if jobs:
            self._last_queue = jobs[0].queue
        has_rest = self._threads == 1 and len(jobs) > 1
        self._ask_at = len(jobs) // AHEAD if has_rest else NEVER

    def _give_back(self) -> None:
        """Keep what the fetch under way was to tell Redis."""
        fetching, self._under_way = self._under_way, None
        assert fetching is not None
        self._outbox.add(*fetching.results)
        self._hand.finish_again(fetching.acks)

    def _await_token(self, line: Line) -> None:
        try:
            # Who finished a job before this could not see that nobody fetches soon.
            if self.has_unsent:
                self.flush()
            line.read()
        finally:
            self._waiting = False

    def _credit(self) -> tuple[int, int]:
        """How many jobs there is room for, and how many threads have nothing to do."""
        idle = 1 if self._threads == 1 else max(1, self._threads - len(self._slots.executing()))
        if not self._multiplier:
            return MOST, idle
        room = self._threads * self._multiplier - self._hand.size
        return max(1, min(MOST, room)), idle

    def _note_written(self, results: list[StateOf]) -> None:
        for result in results:
            self._slots.finish(result.seq)

    def _count_fenced(self, fenced: int) -> None:
        if fenced:
            logger.warning("%d results are not written: others have been given the jobs", fenced)

    def _connect(self) -> Line:
        connection = self._store.client.connection_pool.get_connection()
        self._line = line = Line(connection)
        connection.send_command("CLIENT", "ID")
        self._client_id = int(line.read())
        return line

    def _lose(self, error: Exception) -> None:
        """Let go of a connection on which something went wrong."""
        line, self._line, self._client_id = self._line, None, None
        self._idle = self._waiting = False
        if self._under_way is not None:
            self._must_reconcile = True
            self._give_back()
        if line is not None:
            line.connection.disconnect()
            self._store.client.connection_pool.release(line.connection)
        outages.note()
        logger.warning("%s cannot fetch: %s", self._process.id, error)

    def _reconcile(self) -> None:
        self._channel.reconcile()
        self._must_reconcile = False

    def _start_anew(self) -> None:
        self._local.clear()
        self._outbox.clear()
        self._channel.start_anew()
        self._tell(self._process.id)

    def _rest(self) -> None:
        """Fetch nothing for a moment."""
        if self.has_unsent:
            self.flush()
        self.before_wait()
        self._is_resting = True
        self._changed.wait(ASK_AGAIN)
        self._is_resting = False
        self._changed.clear()
