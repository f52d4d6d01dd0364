"""Repair: ends chords that cannot end by themselves, with Celery's own bookkeeping."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, NamedTuple

from celery import states
from celery.app.task import Context
from redis.exceptions import LockError
from redis.lock import Lock

from flaskiq import current
from flaskiq.api.find import meta_of
from flaskiq.api.queue import Queue
from flaskiq.api.sets import RetrySet, ScheduledSet
from flaskiq.broker.chords import part_context
from flaskiq.chords.monitor import Finding, backend, find
from flaskiq.chords.record import Part, Place, Verdict, Where
from flaskiq.errors import ChordBusyError, LostPartError
from flaskiq.message import read, renewed
from flaskiq.store.chords import Act, Chords

logger = logging.getLogger(__name__)

LOCKED = 60
"""Seconds for one act of repair, after which another process may begin."""


class Step(NamedTuple):
    """One thing to do: a verb, the part if it is about one, and what or why."""

    act: str
    part: str
    detail: str
    do: Callable[[], object]

    def as_dict(self) -> dict[str, str]:
        """Return it in plain data, for JSON."""
        return {"act": self.act, "part": self.part, "detail": self.detail}


def recover(
    chord_id: str, *, dry_run: bool = False, fail: bool = False, queue: str | None = None
) -> list[Step]:
    """Let a chord that is stuck end; return what was done, or would be.

    A lost part is enqueued again, with the message that it had. One that has ended without being
    counted is counted; one whose message nobody knows has failed, and so have all lost ones with
    ``fail``. What waits in a queue that nobody consumes moves to ``queue``, if that is given.

    Raises:
        ChordBusyError: somebody else repairs it just now.
    """
    return _carry_out(
        chord_id, dry_run, lambda found: Recovery(found, fail=fail, queue=queue).steps()
    )


def revoke(chord_id: str, *, dry_run: bool = False) -> list[Step]:
    """End a chord: its missing parts are revoked, wherever they are, and so its body fails.

    Raises:
        ChordBusyError: somebody else repairs it just now.
    """
    return _carry_out(chord_id, dry_run, lambda found: Ending(found).revoked())


def clean(chord_id: str, *, dry_run: bool = False) -> list[Step]:
    """End a chord: its ready and its lost parts have failed; what runs may end.

    Raises:
        ChordBusyError: somebody else repairs it just now.
    """
    return _carry_out(chord_id, dry_run, lambda found: Ending(found).cleaned())


def _carry_out(
    chord_id: str, dry_run: bool, plan: Callable[[Finding], Iterator[Step]]
) -> list[Step]:
    store = current.state().store
    chord_id = store.chords.of_bodies([chord_id]).get(chord_id, chord_id)
    if dry_run:
        return list(plan(find([chord_id])[0]))
    done = []
    with _alone(store.chords, chord_id) as lock:
        for step in plan(find([chord_id])[0]):
            step.do()
            lock.reacquire()
            logger.warning("Chord %s: %s %s %s", chord_id, step.act, step.part, step.detail)
            store.chords.record(Act(time.time(), chord_id, step.act, step.part, step.detail))
            done.append(step)
    return done


@contextmanager
def _alone(chords: Chords, chord_id: str) -> Iterator[Lock]:
    lock = chords.lock(chord_id, LOCKED)
    if not lock.acquire():
        raise ChordBusyError(f"somebody else repairs chord {chord_id}; try again in a minute")
    try:
        yield lock
    finally:
        with suppress(LockError):  # it was held for longer than it lasts
            lock.release()


class _Repair:
    """What all repairs can do."""

    def __init__(self, found: Finding) -> None:
        self.found, self.record = found, found.record
        self._store = current.state().store
        self._backend = backend()

    def context(self, part: Part) -> Context:
        """What Celery wants to know of a part: its chord, and its place in the results."""
        raw = self.found.messages.get(part.id)
        message = read(raw) if raw is not None else None
        order = list(self.found.registered.order) if self.found.registered else []
        index: Any = order.index(part.id) if part.id in order else None
        if message is not None and part.id == message.headers.get("id"):
            index = message.headers.get("group_index", index)
            known = vars(message.context())
        else:
            known = {}
        return part_context(part.id, self.record.id, index, self.found.body, **known)

    def fail(self, part: Part, error: Exception) -> None:
        """Record the failure of a part."""
        self._backend.mark_as_failure(part.id, error, request=self.context(part))

    def finish(self) -> Iterator[Step]:
        """Call the body if all parts have ended and nobody does."""
        found = find([self.record.id])[0]
        if found.record.verdict is Verdict.CLAIM_STUCK and found.body is not None:
            yield Step("call", "", f"all parts have ended: call {found.record.body}", self._recount)

    def size(self) -> Iterator[Step]:
        """Give Celery its counter back, if it is gone."""
        expected = self.record.expected
        if self.found.counters.size is None and expected is not None:
            detail = f"Celery has no counter: {expected} parts"
            yield Step("count", "", detail, lambda: self._set_size(expected))

    def _set_size(self, expected: int) -> None:
        self._backend.set_chord_size(self.record.id, expected - self.found.counters.extra)

    def _recount(self) -> None:
        """Tell Celery of the end of a part that it has counted: now it calls the body."""
        found = find([self.record.id])[0]
        last = found.counters.ended[-1]
        request = part_context(last.id, self.record.id, last.position, found.body)
        self._backend.on_chord_part_return(request, last.state, last.result)


class Recovery(_Repair):
    """Lets a chord go on from where it is."""

    def __init__(self, found: Finding, *, fail: bool, queue: str | None) -> None:
        super().__init__(found)
        self._fails, self._queue = fail, queue

    def steps(self) -> Iterator[Step]:
        """What is to be done, each step to be done before the next is asked for."""
        if self.record.is_over or self.found.body is None:
            return
        yield from self.size()
        held = [part for part in self.record.missing if _is(part, Where.HELD)]
        for part in [each for each in self.record.missing if each not in held]:
            step = self._step(part)
            if step is not None:
                yield step
        if len(held) == len(self.record.missing):
            for part in held[: self.record.limit]:
                yield Step("release", part.id, "none of the others is out", self._release)
        if self.record.unknown and self.record.is_stuck:
            yield from self._unknown()
        yield from self.finish()

    def _step(self, part: Part) -> Step | None:
        place = part.place
        assert place is not None
        if place.where is Where.UNACKED:
            return Step("give back", part.id, f"to queue {place.queue}", lambda: _give_back(place))
        if place.where is Where.READY and self._queue and self._queue != place.queue:
            if self.record.verdict is not Verdict.WAITING:
                return None
            detail = f"from queue {place.queue} to {self._queue}"
            return Step("move", part.id, detail, lambda: self._move(place))
        return self._of_lost(part, place) if place.where in (Where.NOWHERE, Where.DEAD) else None

    def _release(self) -> None:
        self._store.chords.returned(self.record.id)

    def _of_lost(self, part: Part, place: Place) -> Step:
        meta = meta_of(part.id)
        if meta["status"] in states.READY_STATES:
            status, result = meta["status"], meta["result"]
            return Step(
                "complete",
                part.id,
                f"it has ended ({status}), and that was not counted",
                lambda: self._backend.on_chord_part_return(self.context(part), status, result),
            )
        if place.where is Where.DEAD:
            error = LostPartError(f"part {part.id} is in the dead set")
            detail = "it is dead, and that was not counted"
            return Step("fail", part.id, detail, lambda: self.fail(part, error))
        raw, name = self.found.messages.get(part.id), part.name or "part"
        if raw is None or self._fails:
            error = LostPartError(f"{name} {part.id} is lost")
            detail = "it is lost" if raw is not None else "it is lost, and nobody has its message"
            return Step("fail", part.id, detail, lambda: self.fail(part, error))
        carrier = next(
            each.carrier
            for each in self.found.registered.parts  # type: ignore[union-attr] # it has the message
            if each.id == part.id
        )
        assert carrier is not None
        queue = self._queue or carrier.placed.queue
        name_of_list = "" if self._queue else carrier.placed.list
        return Step(
            "requeue",
            part.id,
            f"{name} to queue {queue}",
            lambda: self._push(queue, name_of_list, raw),
        )

    def _unknown(self) -> Iterator[Step]:
        """Parts of a chord that nobody registered, of which there is no trace: they have failed."""
        taken = {each.position for each in self.found.counters.ended}
        taken |= {str(self.context(part).get("group_index")) for part in self.record.missing}
        free = (n for n in range(self.record.expected or 0) if str(n) not in taken)
        for _, index in zip(range(self.record.unknown), free, strict=False):
            part = Part(id=f"{self.record.id}-{index}", state=states.PENDING)
            error = LostPartError(f"part {index} of chord {self.record.id} is lost")
            request = part_context(part.id, self.record.id, index, self.found.body)
            yield Step(
                "fail",
                part.id,
                "it is lost, and nobody knows its id",
                partial(self._backend.on_chord_part_return, request, states.FAILURE, error),
            )

    def _move(self, place: Place) -> None:
        assert place.raw is not None
        assert self._queue is not None
        if self._store.ready.delete([(place.detail, place.raw)])[0]:
            self._push(self._queue, "", place.raw)

    def _push(self, queue: str, name: str, raw: bytes) -> None:
        prefix = self._store.keys.ready("")
        self._store.queues.push(queue, [renewed(raw)], name.removeprefix(prefix))


class Ending(_Repair):
    """Gives a chord up: what is missing is taken away, and counted as failed or revoked."""

    def revoked(self) -> Iterator[Step]:
        """Revoke every part, also those that run."""
        if self.record.is_over or self.found.body is None:
            return
        yield from self.size()
        for part in self.record.missing:
            place = part.place
            assert place is not None
            yield Step("revoke", part.id, f"{place}", partial(self._revoke, part))
        yield from self.finish()

    def cleaned(self) -> Iterator[Step]:
        """Take the ready parts away; what runs may end."""
        if self.record.is_over or self.found.body is None:
            return
        yield from self.size()
        for part in self.record.missing:
            place = part.place
            assert place is not None
            if place.where in (Where.READY, Where.NOWHERE, Where.HELD, Where.DEAD):
                yield Step("clean", part.id, f"{place}", partial(self._clean, part))
        yield from self.finish()

    def _revoke(self, part: Part) -> None:
        place, job_id = part.place, part.job_id or part.id
        assert place is not None
        taken = False
        if place.where is Where.READY and place.queue:
            taken = Queue(place.queue).delete(job_id)
        elif place.where is Where.SCHEDULED:
            taken = ScheduledSet().delete(job_id)
        elif place.where is Where.RETRY:
            taken = RetrySet().delete(job_id)
        elif place.where is Where.CHORD:
            revoke(place.detail)
        if not taken and place.where in _RUNNING:
            current.state().celery.control.revoke(job_id, terminate=True)
            taken = job_id == part.id
        # Who takes a chain's first job says nothing of the part to which that led.
        if not taken:
            self._backend.mark_as_revoked(part.id, "revoked", request=self.context(part))

    def _clean(self, part: Part) -> None:
        place = part.place
        assert place is not None
        if place.where is Where.READY:
            assert place.raw is not None
            if not self._store.ready.delete([(place.detail, place.raw)])[0]:
                return  # it was fetched meanwhile, and runs
        self.fail(part, LostPartError(f"{part.name or 'part'} {part.id} was cleaned away"))


_RUNNING = (Where.IN_FLIGHT, Where.STOCK, Where.UNACKED, Where.READY)


def _is(part: Part, where: Where) -> bool:
    return part.place is not None and part.place.where is where


def _give_back(place: Place) -> None:
    store = current.state().store
    job = store.unacked.find(place.tag or "")
    if job is not None:
        store.unacked.give_back(job)
