"""Settling: what becomes of the jobs of a child that has ended.

The node knows exactly: what had finished is acknowledged and never runs again; what ran is counted,
or ends as it was decided when the child was killed for it; what only waited goes back to the front
of its queue, uncounted.
"""

from __future__ import annotations

import logging
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import Any

from billiard.einfo import ExceptionInfo
from celery import Celery
from celery.exceptions import WorkerLostError

from flaskiq.broker.channel import Message
from flaskiq.broker.hand import Hand
from flaskiq.broker.owed import Owed
from flaskiq.broker.pace import Pace
from flaskiq.message import read_envelope
from flaskiq.runtime.pool.child_process import ChildProcess
from flaskiq.runtime.request import JobRequest, settle
from flaskiq.runtime.told import outcome_of, tell_interrupted
from flaskiq.store.flight import FLIGHT_HEADER, Flight
from flaskiq.store.place import Placed
from flaskiq.store.store import Store
from flaskiq.tally import Tally

logger = logging.getLogger(__name__)


class Remains:
    """What a process has left in flight; stands in for the channel and the process of its jobs.

    A request of Celery's asks its message for these two (``runtime/request.py``).
    """

    def __init__(self, books: Books, identity: str) -> None:
        self.store, self.id = books.open_store(), identity
        self.tally, self.owed = books.tally, books.owed
        self.hand, self.pace = Hand(), Pace()
        inflight = self.store.processes.inflight(identity)
        placed = {seq: Placed.unpack(value) for seq, value in inflight.items()}
        self.jobs = {seq: each.message for seq, each in placed.items()}
        self.queues = {seq: each.queue for seq, each in placed.items()}
        for seq in self.jobs:
            self.hand.hold(str(seq), seq)

    @property
    def process(self) -> Remains:
        """Itself."""
        return self

    @property
    def qos(self) -> Remains:
        """Itself."""
        return self

    def forget(self, tag: str) -> None:
        """Let go of a job that has been moved on."""

    def decode_body(self, body: str, encoding: str | None = None) -> Any:
        """Decode a body as kombu's channels do."""
        return b64decode(body) if encoding == "base64" else body

    def finish(self, tag: str) -> None:
        """Take a job out of flight."""
        self.hand.release(tag)
        self.store.processes.acknowledge(self.id, [int(tag)])

    def put_back(self, seqs: list[int]) -> None:
        """Push jobs back to the front of their queues, uncounted."""
        if seqs:
            self.store.processes.requeue(self.id, seqs)


@dataclass(frozen=True)
class Books:
    """What a node needs to know and to note of the jobs of its children."""

    app: Celery
    hostname: str
    tally: Tally
    open_store: Callable[[], Store]
    eventer: Callable[[], Any]
    owed: Owed = field(default_factory=Owed)


class HeldRequest(JobRequest):
    """A job that a child holds or held, as Celery's worker knows one."""

    def __init__(
        self,
        books: Books,
        remains: Remains,
        seq: int,
        raw: bytes,
    ) -> None:
        envelope = read_envelope(raw)
        envelope["properties"]["delivery_tag"] = str(seq)
        envelope["headers"][FLIGHT_HEADER] = str(Flight(remains.id, seq))
        message = Message(envelope, channel=remains)
        super().__init__(
            message,
            on_ack=lambda *_: remains.finish(str(seq)),
            on_reject=lambda *_: remains.finish(str(seq)),
            app=books.app,
            hostname=books.hostname,
            eventer=books.eventer(),
        )
        self.seq = seq

    def count_death(self) -> None:
        """Bear it now: after an error the settlement is repeated."""
        self.bear_death()


class Settlement:
    """Settles what children of a node have left."""

    def __init__(self, books: Books) -> None:
        self._books, self.owed = books, books.owed

    def beat(self, identity: str, ttl: float) -> None:
        """Say for a child that it lives."""
        self._books.open_store().processes.beat(identity, ttl)

    def settle(self, child: ChildProcess, *, is_counted: bool) -> Counter[str]:
        """Settle a child, and return what became of its jobs; safe to repeat after an error.

        Args:
            is_counted: whether the jobs that it ran have ended it, as far as anybody knows.

        Raises:
            redis.RedisError: Redis is out of reach, and nothing is settled or only a part.
        """
        moved: Counter[str] = Counter()
        for identity in (*child.earlier, child.identity):
            if identity is None:
                continue
            remains = Remains(self._books, identity)
            moved += self._settle(child, remains, is_counted=is_counted)
            remains.store.processes.deregister(identity, is_over=child.code == 0)
        return moved

    def _settle(self, child: ChildProcess, remains: Remains, *, is_counted: bool) -> Counter[str]:
        moved: Counter[str] = Counter()
        executing = {each.seq: each for each in child.executing()}
        waiting = []
        for seq in sorted(remains.jobs):
            if child.slots.has_finished(seq):
                remains.finish(str(seq))
                moved["finished"] += 1
            elif seq in child.timed_out:
                self._end(remains, seq, partial(_time_out, seconds=child.timed_out[seq]))
                moved["timed out"] += 1
            elif seq in child.revoked:
                remains.finish(str(seq))
                moved["revoked"] += 1
            elif seq in executing and is_counted:
                self._end(remains, seq, partial(_lose, code=child.code))
                moved["ran, and counted"] += 1
            else:
                if seq in executing:
                    self._tell_interrupted(remains, seq, monotonic() - executing[seq].started)
                waiting.append(seq)
        remains.put_back(waiting)
        moved["back to the front"] += len(waiting)
        moved["lost"] += self._end_early(child, remains, executing)
        return +moved

    def _end_early(self, child: ChildProcess, remains: Remains, executing: Collection[int]) -> int:
        """End the jobs that were acknowledged before they ran, and so never run again."""
        ended = [seq for seq in child.early if seq in executing and seq not in child.revoked]
        for seq in ended:
            remains.jobs[seq] = child.early.pop(seq)
            seconds = child.timed_out.get(seq)
            end = (
                partial(_time_out, seconds=seconds) if seconds else partial(_lose, code=child.code)
            )
            self._end(remains, seq, end)
        return len(ended)

    def _tell_interrupted(self, remains: Remains, seq: int, seconds: float) -> None:
        with suppress(ValueError, KeyError):  # nobody can read it, so it has not run
            headers = read_envelope(remains.jobs[seq])["headers"]
            queue = remains.queues[seq]
            told = outcome_of(self._books.app, headers, queue, "requeued", seconds)
            tell_interrupted(told)

    def _end(self, remains: Remains, seq: int, end: Callable[[HeldRequest], Any]) -> None:
        raw = remains.jobs[seq]
        try:
            job = HeldRequest(self._books, remains, seq, raw)
        except Exception:
            # Nobody can read it, so there is nobody to tell.
            logger.warning("A job in flight cannot be read: %s/%s", remains.id, seq, exc_info=True)
            settle(remains, str(seq))
            return
        end(job)


def _time_out(job: HeldRequest, seconds: float) -> None:
    job.on_timeout(False, seconds)


def _lose(job: HeldRequest, code: int | None) -> None:
    """Tell a job that its process has died: the request counts that (``JobRequest.on_failure``)."""
    try:
        raise WorkerLostError(f"the process ended with {code} while the job ran")  # noqa: TRY301 - for its traceback
    except WorkerLostError:
        job.on_failure(ExceptionInfo())
