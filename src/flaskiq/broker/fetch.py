"""Fetch: jobs come into hand, and what has finished leaves flight.

Line numbers are those of kombu 5.7.0, kombu/transport/redis.py, and celery 5.7.0.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from queue import Empty
from time import monotonic
from typing import Any

from kombu.asynchronous import get_event_loop
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads
from redis.exceptions import NoScriptError, ResponseError

from flaskiq.broker.pace import MOST, Pace
from flaskiq.broker.put import SOON, due
from flaskiq.broker.results import Outbox
from flaskiq.failure import Failure, brief
from flaskiq.job import new_id
from flaskiq.logs.outcome import Outcome
from flaskiq.logs.telling import tell
from flaskiq.message import DEATHS_HEADER, read_envelope
from flaskiq.store.flight import ADMITTED_HEADER, FLIGHT_HEADER, Flight
from flaskiq.store.prepared_fetch import PreparedFetch, Source
from flaskiq.store.processes import Fetch, Fetched, read_fetch
from flaskiq.store.results import StateOf

logger = logging.getLogger(__name__)

_Base: Any = object  # a channel of kombu's, which has no types


class Fetches(_Base):
    """Mixin for a channel: how it consumes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.pace = Pace()
        self._no_ack: set[str] = set()
        self._active: list[str] | None = None
        self._waiting = False
        self._idle = False
        self._fetching: Fetching | None = None
        self._flush_planned = False
        self._prepared: tuple[Any, PreparedFetch | None] = (None, None)
        self.on_finish: Callable[[str], None] | None = None
        super().__init__(*args, **kwargs)

    def basic_consume(self, queue: str, no_ack: bool, *args: Any, **kwargs: Any) -> Any:
        if no_ack:
            self._no_ack.add(queue)
        result = super().basic_consume(queue, no_ack, *args, **kwargs)
        if self._is_reliable:
            self.process.start()
        return result

    @property
    def active_queues(self) -> list[str]:
        """The queues that are consumed from; kombu makes a new list each time it is asked."""
        if self._active is None:
            self._active = super().active_queues
        return self._active

    def _update_queue_cycle(self) -> None:
        self._active = None
        super()._update_queue_cycle()

    @property
    def _is_reliable(self) -> bool:
        """Whether it fetches jobs; a channel that only reads replies has nothing to lose."""
        return any(queue not in self._no_ack for queue in self.active_queues)

    def _brpop_start(self, timeout: float | None = None) -> None:
        """Send the fetch and, if the last one found nothing, the wait for a wake token before it.

        Both go in one write: Redis runs the fetch the moment the wait ends, and a wait that ends
        by time is the re-check for producers that leave no token.
        """
        if not self._is_reliable:
            super()._brpop_start(timeout)
            return
        if self._fetching is not None:
            self._reconcile()
        if self.process.is_taken_for_dead:
            self.start_anew()
        if self.process.hand.wants_no_company:
            return
        queues = self.served(self.active_queues)
        if not queues:
            return
        self._fetching = fetching = self.next_fetch(queues, self._credit(), woken=self._idle)
        connection = self.client.connection
        commands = [fetching.command]
        self._waiting = self._idle
        if self._waiting:
            commands = [*connection.pack_command(*self.wait_for(queues)), *commands]
        self._in_poll = connection
        self._brpop_sent_at = monotonic()
        connection.send_packed_command([b"".join(commands)])

    def served(self, queues: list[str]) -> list[str]:
        """Return those of ``queues`` that are not paused, in the order of the next fetch."""
        paused = self.process.paused
        order = self._queue_cycle.consume(len(queues))
        return [queue for queue in order if queue not in paused] if paused else order

    def serve(self, queues: list[str]) -> None:
        """Order these queues from now on."""
        self._queue_cycle.update(queues)

    def rotate(self, queue: str) -> None:
        """Note that a job came from a queue: in some orders it is asked last then."""
        self._queue_cycle.rotate(queue)

    def wait_for(self, queues: list[str]) -> tuple[Any, ...]:
        """Return the command that waits for a wake token of ``queues``."""
        return ("BRPOP", *(self.keys.wake + queue for queue in queues), self.brpop_timeout)

    def next_fetch(
        self,
        queues: list[str],
        credit: int,
        *,
        least: int = 1,
        woken: bool = False,
        outbox: Outbox | None = None,
    ) -> Fetching:
        """Return a fetch of at most ``credit`` jobs, with what is to be acknowledged.

        Of each queue it takes as many as the pace allows, but ``least`` in any case. The results
        of what is acknowledged are taken from ``outbox``.
        """
        limits = [1 if credit == 1 else self._limit(queue, credit, least) for queue in queues]
        prepared, hand = self._prepare(queues, limits), self.process.hand
        acks = hand.take_acks()
        results = outbox.take(acks) if outbox is not None else []
        seq = hand.next_seqs(credit)
        if results and len(results) < len(acks):
            first = [result.seq for result in results]
            acks = [*first, *set(acks).difference(first)]
        command = prepared.pack(credit=credit, seq=seq, acks=acks, woken=woken, results=results)
        return Fetching(command, credit, prepared.queues, acks, results)

    def _limit(self, queue: str, credit: int, least: int) -> int:
        return min(credit, max(least, self.pace.batch(queue)))

    def _prepare(self, queues: list[str], limits: list[int]) -> PreparedFetch:
        kept, prepared = self._prepared
        if kept != (self.process.id, queues, limits):
            sources = [
                Source(queue, self.keys.ready(self._q_for_pri(queue, step)), most)
                for step in self.priority_steps
                for queue, most in zip(queues, limits, strict=True)
            ]
            prepared = PreparedFetch(self.keys, self.process.id, sources)
            self._prepared = (self.process.id, queues, limits), prepared
        assert prepared is not None
        return prepared

    def _credit(self) -> int:
        """How many jobs there is room for; one where prefetching is disabled.

        ``worker_disable_prefetch`` replaces ``can_consume`` on the instance (celery/worker/consumer
        /tasks.py:59-83), and knows nothing of batches.
        """
        if "can_consume" in vars(self.qos):
            return 1
        free = self.qos.can_consume_max_estimate()
        return MOST if free is None else max(1, min(MOST, free))

    def _brpop_read(self, **options: Any) -> bool:
        if self._fetching is None:
            return bool(super()._brpop_read(**options))
        try:
            fetch = self._read_fetch()
        finally:
            self._in_poll = None
            self._waiting = False
            self._flush_brpop_reauth()
        if fetch is None:
            raise Empty
        return self._take(fetch)

    def _read_fetch(self) -> tuple[Fetching, Fetch] | None:
        """Read what :meth:`_brpop_start` asked for; None if the server has lost the script."""
        fetching = self._fetching
        assert fetching is not None
        connection = self.client.connection
        try:
            if self._waiting:
                self.client.parse_response(connection, "BRPOP")
            reply = self.client.parse_response(connection, "EVALSHA")
        except NoScriptError:
            self._fetching = None
            self.process.hand.finish_again(fetching.acks)
            self._idle = False
            self.store.processes.load_fetch()
            return None
        except (*self.connection_errors, ResponseError):
            # Of two replies the second may still be under way.
            connection.disconnect()
            raise
        self._fetching = None
        return fetching, read_fetch(reply, fetching.queues)

    def _take(self, fetched: tuple[Fetching, Fetch]) -> bool:
        fetching, (acknowledged, jobs) = fetched
        self.count_fenced(fetching.acks, acknowledged)
        if self.process.is_taken_for_dead:
            # It was frozen while this lay in its socket.
            self.start_anew()
            raise Empty
        self._idle = not jobs
        held = [(job, message) for job in jobs if (message := self._hold(job))]
        self.process.hand.landed()
        if not held:
            raise Empty
        for job, message in held:
            self._queue_cycle.rotate(job.queue)
            if not self.put_away(job, message):
                self.connection._deliver(message, job.queue)  # noqa: SLF001 - kombu's way
        return True

    def _hold(self, job: Fetched) -> dict[str, Any] | None:
        """Take a fetched job in hand, and return its message for the worker.

        None, and it is buried, if nobody could read it.
        """
        try:
            message = read_envelope(job.message)
        except ValueError as error:
            self.bury_unreadable(job, error)
            return None
        headers = message["headers"]
        headers[FLIGHT_HEADER] = str(Flight(self.process.id, job.seq))
        # The sender's tag may be there twice: a publish that is retried sends the same message.
        message["properties"]["delivery_tag"] = job.tag
        self.process.hand.hold(job.tag, job.seq, alone=DEATHS_HEADER in headers)
        return message

    def bury_unreadable(self, job: Fetched, error: ValueError) -> None:
        """Move a message into the dead set as it is, under an id that it has not."""
        job_id, flight = new_id(), Flight(self.process.id, job.seq)
        if self.store.dead.bury_from_flight(job_id, Failure.of(error, 1), flight):
            told = Outcome(job_id, None, None, None, "dead", error=brief(error))
            words = "A message that cannot be read is dead as job %s: %s"
            tell(logger, logging.ERROR, told, words, job_id, error)

    def put_away(self, job: Fetched, message: dict[str, Any]) -> bool:
        """Let a job wait in Redis that a stock client has put onto the list before its time.

        One that is due has no time any more: a timer of the worker would only hide it from its
        count of what it has in hand. The clock of Redis decides, as for the sorted sets.
        """
        headers = message["headers"]
        try:
            at = due(message)
        except ValueError:  # the worker says what is wrong with it
            return False
        headers["eta"] = None
        if at is None or at <= self.store.now() + SOON:
            return False
        jobs = self.store.retry if headers.get("retries") else self.store.scheduled
        placed = self.placed(job.queue, loads(bytes_to_str(job.message)), at)
        jobs.add_from_flight(headers["id"], at, placed, Flight(self.process.id, job.seq))
        self.process.hand.release(job.tag)
        return True

    def let_wait(self, queue: str, raw: bytes, at: float, flight: Flight) -> None:
        """Let a job in flight wait in Redis for its turn, which comes then in any case."""
        message = loads(bytes_to_str(raw))
        headers = {**message["headers"], ADMITTED_HEADER: True}
        placed = self.placed(queue, {**message, "headers": headers}, at)
        self.store.scheduled.add_from_flight(headers["id"], at, placed, flight)

    def start_anew(self) -> None:
        """Others have been given what was in flight here: go on as a new process."""
        logger.warning("%s was taken for dead; its jobs run elsewhere", self.process.id)
        self.process.renew()
        self._idle = False

    def finish(self, delivery_tag: str) -> None:
        """Acknowledge a job with the next fetch; at once if this channel waits for work.

        Whoever fetches by itself with what this channel prepares is told before, by ``on_finish``.
        """
        if self.on_finish is not None:
            self.on_finish(delivery_tag)
            self.process.hand.finish(delivery_tag)
            return
        if not self.process.hand.finish(delivery_tag):
            return
        # Of a channel that is closed, the next fetch of another one acknowledges.
        if not self.closed and (self._waiting or not self.active_queues):
            self._plan_flush()

    def push_back(self, delivery_tags: list[str]) -> int:
        """Push jobs in hand back to the front of their queues."""
        released = [self.process.hand.release(tag) for tag in delivery_tags]
        return self._requeue([seq for seq in released if seq is not None])

    def push_back_unstarted(self, delivery_tags: list[str]) -> int:
        """Push those of them back that have not begun; none of these begins after this."""
        return self._requeue(self.process.hand.release_unstarted(delivery_tags))

    def _requeue(self, seqs: list[int]) -> int:
        return self.store.processes.requeue(self.process.id, seqs) if seqs else 0

    def flush(self) -> None:
        """Acknowledge what has finished now."""
        self._flush_planned = False
        acks = self.process.hand.take_acks()
        if not acks:
            return
        try:
            removed = self.store.processes.acknowledge(self.process.id, acks)
        except Exception:
            self.process.hand.finish_again(acks)
            raise
        self.count_fenced(acks, removed)

    def _plan_flush(self) -> None:
        """Flush once for all jobs that finish in this turn of the event loop."""
        loop = get_event_loop()
        if loop is None:
            self.flush()
        elif not self._flush_planned:
            self._flush_planned = True
            loop.call_soon(self.flush)

    def count_fenced(self, acks: list[int], acknowledged: int) -> None:
        fenced = self.process.hand.count_fenced(acks, acknowledged)
        if fenced:
            logger.warning("%d jobs finished here that were given to others meanwhile", fenced)
            self.store.count("fenced", fenced)

    def _reconcile(self) -> None:
        """After a fetch whose reply never came: push back what only Redis knows of."""
        fetching, self._fetching = self._fetching, None
        if fetching is not None:
            self.process.hand.finish_again(fetching.acks)
        self.reconcile()

    def reconcile(self) -> None:
        """Push back what is in flight, but came with a reply that was lost."""
        stranded = self.process.reconcile(self.store)
        if stranded:
            logger.warning("Pushed back %d jobs of a fetch whose reply was lost", stranded)

    def end_fetch(self) -> None:
        """End the fetch under way, if there is one, and push back what it has brought."""
        if self._fetching is not None:
            connection, self._in_poll = self.client.connection, None
            connection.disconnect()
            self._reconcile()


class Fetching:
    """A fetch under way: its command, the queue of each of its lists, and what it tells Redis.

    ``credit``: how many jobs it may bring.
    """

    def __init__(
        self,
        command: bytes,
        credit: int,
        queues: list[str],
        acks: list[int],
        results: list[StateOf],
    ) -> None:
        self.command = command
        self.credit = credit
        self.queues = queues
        self.acks = acks
        self.results = results
