"""Monitor: puts together what was noted of a chord, what Celery counts, and where the jobs are."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from celery import states
from celery.backends.redis import RedisBackend

from flaskiq import current
from flaskiq.api.find import meta_of
from flaskiq.chords import counters
from flaskiq.chords.counters import Counters
from flaskiq.chords.places import Places
from flaskiq.chords.record import ChordRecord, Part, Place, Verdict, Where
from flaskiq.errors import ResultsDisabledError
from flaskiq.message import read
from flaskiq.store.chords import RegisteredChord
from flaskiq.store.store import Store

PUBLISHING = 60.0
"""Seconds after which nobody publishes a chord any more whose last part is still to come."""

TOLD = 1.2
"""Seconds after which a process has told what runs in it."""

_NOWHERE = (Where.NOWHERE, Where.DEAD)


@dataclass(frozen=True)
class Finding:
    """A chord with what repair needs to know of it; ``messages`` are of its parts, as last seen."""

    record: ChordRecord
    counters: Counters
    registered: RegisteredChord | None
    body: dict[str, Any] | None
    messages: dict[str, bytes]


def backend() -> Any:
    """Return the result backend.

    Raises:
        ResultsDisabledError: it is none of Redis, and so there are no chords to look at.
    """
    found = current.state().celery.backend
    if not isinstance(found, RedisBackend):
        raise ResultsDisabledError(
            "chords are counted in the result backend, and this app has none in Redis; "
            "set CELERY_RESULT_BACKEND=redis://..."
        )
    return found


def chords(*, scan: bool = True) -> list[ChordRecord]:
    """Return the chords that are not over, the oldest first; ``scan`` finds those of others."""
    known = current.state().store.chords.unfinished()
    others = counters.chord_ids(backend()) if scan else ()
    found = find(dict.fromkeys([*known, *others]))
    return [each.record for each in found if not each.record.is_over]


def chord(chord_id: str) -> ChordRecord:
    """Return a chord by the id of its group or of its body; ``unknown`` if nobody knows it."""
    store: Store = current.state().store
    chord_id = store.chords.of_bodies([chord_id]).get(chord_id, chord_id)
    return find([chord_id])[0].record


def find(chord_ids: Iterable[str]) -> list[Finding]:
    """Look at chords; what has come to its end meanwhile is noted as over."""
    chord_ids = list(chord_ids)
    found = _look(chord_ids)
    # What has moved from one place to the next while it was looked for may seem lost.
    doubtful = {each.record.id for each in found if each.record.is_stuck}
    if doubtful:
        if any(_leaves_flight_early(each.record) for each in found if each.record.is_stuck):
            time.sleep(TOLD)
        again = {each.record.id: each for each in _look(doubtful)}
        found = [again.get(each.record.id, each) for each in found]
    store: Store = current.state().store
    for each in found:
        is_known = each.registered is not None and not each.registered.is_over
        if is_known and each.record.is_over:
            store.chords.finish(each.record.id)
    return found


def _leaves_flight_early(chord: ChordRecord) -> bool:
    """Whether a part is acknowledged when it begins: only its process knows that it runs, then."""
    tasks = current.state().celery.tasks
    named = [tasks.get(part.name) for part in chord.missing if part.name]
    return any(task is not None and not task.acks_late for task in named)


def _look(chord_ids: Iterable[str]) -> list[Finding]:
    state, results = current.state(), backend()
    store: Store = state.store
    known = {each: store.chords.get(each) for each in chord_ids}
    counted = {each: counters.read(results, each) for each in known}
    wanted, queues = set(), set()
    for chord_id, registered in known.items():
        for part in registered.parts if registered else ():
            if part.carrier is not None:
                wanted.add(part.carrier.id)
                queues.add(part.carrier.placed.queue)
            wanted.add(part.id)
        counts = counted[chord_id]
        wanted -= {each.id for each in counts.ended}
    strangers = [each for each, found in known.items() if found is None and counted[each].is_known]
    places = Places(wanted, strangers, queues | (_lists(store) if strangers else set()))
    places.look()
    # Read again: a part may have ended while its job was looked for.
    counted = {each: counters.read(results, each) for each in known}
    nowhere = store.chords.of_bodies([each for each in wanted if places.is_nowhere(each)])
    under_way = set(store.chords.unfinished()) if nowhere else set()
    inner = {body: each for body, each in nowhere.items() if each in under_way}
    return [
        _Look(each, registered, counted[each], places, inner).finding()
        for each, registered in known.items()
    ]


def _lists(store: Store) -> set[str]:
    """The lists of the database that may be queues: chords of others say nothing of theirs."""
    prefix = store.keys.ready("")
    names = (name.decode() for name in store.client.scan_iter(count=1_000, _type="list"))
    separator = store.keys.separator
    return {
        name[len(prefix) :].partition(separator)[0]
        for name in names
        if name.startswith(prefix) and not name.startswith(store.keys[""])
    }


class _Look:
    """One chord, of which everything was read."""

    def __init__(
        self,
        chord_id: str,
        registered: RegisteredChord | None,
        counts: Counters,
        places: Places,
        inner: dict[str, str],
    ) -> None:
        self.id, self.registered, self.counts = chord_id, registered, counts
        self._places, self._inner = places, inner
        self._members = places.members.get(chord_id, {})
        self.body = self._body()
        options = (self.body or {}).get("options") or {}
        self.body_id: str | None = options.get("task_id")
        self.messages: dict[str, bytes] = {}

    def finding(self) -> Finding:
        """Judge, and return everything."""
        parts = list(self._parts())
        known = self.registered
        expected = self.counts.expected
        if expected is None and known is not None:
            expected = known.size or len(known.parts) or None
        missing = [part for part in parts if part.is_missing]
        unknown = max(0, (expected or 0) - len(parts))
        verdict, reason = self._verdict(missing, unknown, expected)
        if verdict in (Verdict.DONE, Verdict.FAILED):
            parts, unknown = self._over(parts, verdict), 0
        record = ChordRecord(
            id=self.id,
            verdict=verdict,
            reason=reason,
            body_id=self.body_id,
            body=None if self.body is None else str(self.body.get("task")),
            expected=expected,
            parts=parts,
            unknown=unknown,
            created_at=known.created_at if known else None,
            changed_at=known.changed_at if known else None,
            tenant=known.tenant if known else {},
            limit=known.limit if known else None,
            is_registered=known is not None,
        )
        return Finding(record, self.counts, known, self.body, self.messages)

    def _over(self, parts: list[Part], verdict: Verdict) -> list[Part]:
        """The parts of a chord that is over, of which Celery keeps nothing once it was called."""
        ended = (
            {part.id for part in self.registered.parts if part.has_ended}
            if (self.registered and verdict is Verdict.DONE)
            else set()
        )
        return [
            replace(part, state=states.SUCCESS, place=None) if part.id in ended else part
            for part in parts
            if part.id in ended or not part.is_missing
        ]

    def _body(self) -> dict[str, Any] | None:
        if self.registered is not None:
            return dict(self.registered.body)
        for _, message in self._members.values():
            if message.embed.get("chord"):
                return dict(message.embed["chord"])
        return None

    def _parts(self) -> Iterator[Part]:
        counted = {each.id: each for each in self.counts.ended}
        names: dict[str, tuple[str, str | None]] = {}
        for part in self.registered.parts if self.registered else ():
            job_id, name = part.id, part.name
            if part.carrier is not None:
                job_id, raw = part.carrier.id, part.carrier.placed.message
                name, self.messages[part.id] = _task(raw), raw
            names[part.id] = (job_id, name)
        for part_id, (job_id, message) in self._members.items():
            names.setdefault(part_id, (job_id, str(message.headers.get("task"))))
        held = set(self.registered.held) if self.registered else set()
        order = {part_id: n for n, part_id in enumerate(self._order())}
        for part_id in sorted({*names, *counted}, key=lambda each: order.get(each, len(order))):
            job_id, name = names.get(part_id, (part_id, None))
            end = counted.get(part_id)
            if end is not None:
                yield Part(id=part_id, state=end.state, name=name, job_id=job_id, error=end.error)
                continue
            place = self._place(part_id, job_id, is_held=part_id in held)
            if place.raw is not None:
                self.messages.setdefault(part_id, place.raw)
            yield Part(id=part_id, state=states.PENDING, name=name, job_id=job_id, place=place)

    def _order(self) -> list[str]:
        return list(self.registered.order) if self.registered else []

    def _place(self, part_id: str, job_id: str, *, is_held: bool) -> Place:
        place = self._places.of(job_id)
        if place.where is Where.NOWHERE and part_id != job_id:
            place = self._places.of(part_id)
        if place.where in _NOWHERE:
            if is_held:
                return Place(Where.HELD)
            if part_id in self._inner:
                return Place(Where.CHORD, self._inner[part_id])
        return place

    def _verdict(
        self, missing: list[Part], unknown: int, expected: int | None
    ) -> tuple[Verdict, str]:
        counts, known = self.counts, self.registered
        if known is None and not counts.is_known:
            return Verdict.UNKNOWN, "nobody knows a chord with this id"
        called = counts.claim == counters.DONE or bool(known and known.called)
        meta = meta_of(self.body_id) if self.body_id else {"status": states.PENDING}
        if called or meta["status"] in (states.SUCCESS, states.STARTED, states.RETRY):
            return Verdict.DONE, "its body was called"
        if meta["status"] in states.READY_STATES:
            return Verdict.FAILED, str(meta["result"])
        if known and known.size is None and time.time() - known.created_at < PUBLISHING:
            return Verdict.RUNNING, "it is being published"
        if counts.size is None and counts.has_failed and not missing:
            return Verdict.FAILED, "a part has failed"
        if counts.size is None and not (known and known.size is None and missing):
            return Verdict.COUNTER_EXPIRED, (
                "Celery has forgotten how many parts it has; CELERY_RESULT_CHORD_EXPIRES is too "
                "short for them, or the key was deleted or evicted"
            )
        if not missing and not unknown:
            if counts.claim is not None:
                return Verdict.RUNNING, "its body is about to be called"
            return Verdict.CLAIM_STUCK, "all parts have ended, and nobody calls its body"
        return self._of_missing(missing, unknown, expected)

    def _of_missing(
        self, missing: list[Part], unknown: int, expected: int | None
    ) -> tuple[Verdict, str]:
        places = [part.place for part in missing if part.place is not None]
        lost = [place for place in places if place.where in _NOWHERE]
        out = [each for each in places if each.where not in (*_NOWHERE, Where.HELD)]
        if lost or unknown:
            dead = sum(place.where is Where.DEAD for place in lost)
            text = f"{len(lost) + unknown} of {expected} parts are nowhere"
            if self.counts.size is None:
                text += "; publishing it did not come to its end"
            if dead:
                text = f"{dead} parts are dead, and that was not counted"
            return Verdict.LOST, text
        if not out:
            return Verdict.LOST, f"{len(places)} parts are held back, and none is out"
        waits = [why for place in out if (why := _waits(place, self._places))]
        if len(waits) == len(out):
            return Verdict.WAITING, "; ".join(dict.fromkeys(waits))
        return Verdict.RUNNING, f"{len(places)} of {expected} parts have not ended"


def _waits(place: Place, places: Places) -> str | None:
    """What a job waits for that may never come, None if it will run by itself."""
    if place.where is Where.UNACKED:
        at = "" if place.at is None else f" in {max(0, place.at - time.time()):.0f} s"
        return f"the stock worker that has fetched it is silent; it is redelivered{at}"
    if place.where is Where.IN_FLIGHT:
        if place.detail in places.live:
            return None
        return f"process {place.detail} has died; its jobs go to others within a TTL"
    queue = place.queue
    if queue is None or place.where is Where.STOCK:
        return None
    if queue in places.paused:
        return f"queue {queue} is paused"
    return None if places.is_served(queue) else f"nobody consumes queue {queue}"


def _task(raw: bytes) -> str | None:
    try:
        return str(read(raw).headers.get("task"))
    except (ValueError, KeyError, TypeError):
        return None
