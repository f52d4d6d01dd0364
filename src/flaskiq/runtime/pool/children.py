"""Children: who fetches for a node; they are forked, watched, replaced and settled here."""

from __future__ import annotations

import logging
import select
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from time import monotonic
from typing import Any, Literal

from celery.worker import state
from redis import RedisError

from flaskiq.broker.outages import OUT_OF_REACH, outages
from flaskiq.broker.process import BEATS
from flaskiq.runtime.pool.child import Spec, worn_from
from flaskiq.runtime.pool.child_process import ChildProcess, pair
from flaskiq.runtime.pool.settle import Settlement
from flaskiq.runtime.pool.slots import Memory
from flaskiq.runtime.pool.succession import Succession
from flaskiq.runtime.pool.template import TemplateGoneError
from flaskiq.settings.kinds import tidy
from flaskiq.tally import Ends

logger = logging.getLogger(__name__)

LOOK = 1.0
"""Seconds after which it is asked whether a child has ended without a word."""

REPORT = 0.5
"""Seconds that the node waits for its children to obey, at most."""

LONG = 1.0
"""Seconds that a child which was told to leave keeps others from that, too.

And, if it runs several jobs at once, the one that is to take over.
"""

PAUSE = 1.0
"""Seconds before a child that could not begin is replaced."""


Departure = Literal["left", "killed", "crashed"]
DEPARTURES: tuple[Departure, ...] = ("left", "killed", "crashed")
"""How a child has ended: by itself, in order; by its node, for a limit or so; or otherwise."""


def _departure(child: ChildProcess) -> Departure:
    if child.code == 0:
        return "left"
    return "killed" if child.was_killed else "crashed"


@dataclass(frozen=True)
class Lifetime:
    """After how many jobs, and from how many bytes on, a child is replaced; 0 for never."""

    jobs: int = 0
    size: int = 0

    def is_nearly_over(self, child: ChildProcess) -> bool:
        """Whether another is to be made ready for a child."""
        slots = child.slots
        return bool(
            (self.jobs and slots.executed >= worn_from(self.jobs))
            or (self.size and slots.rss > self.size)
        )


class Children:
    """The children of one node.

    ``wanted`` is how many there are to be. A new one is told how to work by ``brief``, then what
    ``greeting`` says. A heartbeat lasts ``ttl`` seconds.
    """

    def __init__(
        self,
        wanted: int,
        memory: Memory,
        templates: Succession,
        settlement: Settlement,
        lifetime: Lifetime,
        ttl: float,
        brief: Callable[[int], Spec],
        greeting: Callable[[], dict[str, Any]],
    ) -> None:
        self.wanted = wanted
        self.is_closing = False
        self._memory, self._templates = memory, templates
        self._settlement, self._lifetime = settlement, lifetime
        self._brief, self._greeting = brief, greeting
        self._living: list[ChildProcess] = []
        self._ended: list[ChildProcess] = []
        self._to_renew: list[ChildProcess] = []
        self._executed = 0
        self.ends: Counter[Ends] = Counter()
        """The attempts that these and former children have counted; replaced, never changed."""
        self.outages = 0
        """How often these and former children could not reach Redis."""
        self.gone: Counter[Departure] = Counter(dict.fromkeys(DEPARTURES, 0))
        """How many have ended, and how."""
        self._ttl = ttl
        self._looked_at = self._spawns_from = self._beats_at = 0.0
        self._hub: Any = None

    def __iter__(self) -> Iterator[ChildProcess]:
        return iter(list(self._living))

    def __len__(self) -> int:
        return len(self._living)

    @property
    def are_settled(self) -> bool:
        """Whether nobody lives, and nothing is left of those who did."""
        return not (self._living or self._ended or self._settlement.owed)

    @property
    def executed(self) -> int:
        """How many jobs these and former children have begun."""
        return self._executed + sum(child.slots.executed for child in self._living)

    def tell(self, **order: Any) -> None:
        """Give all of them an order (``Child._on_...``)."""
        for child in self._living:
            child.tell(**order)

    def dump(self) -> None:
        """Let all write the stacks of their threads, one after the other."""
        for child in self:
            child.tell(dump=True)
            self._confirm([child])

    def confirm(self) -> None:
        """Wait a moment until all have obeyed, and told what they have run of each task."""
        self._confirm(list(self._living))

    def _confirm(self, silent: list[ChildProcess]) -> None:
        for child in silent:
            child.tell(report=True)
        until = monotonic() + REPORT
        while silent and monotonic() < until:
            select.select([child.wire for child in silent], [], [], REPORT)
            for child in silent:
                self._hear(child)
            silent = [each for each in silent if not (each.has_reported or each.wire.is_closed)]

    def watch(self, hub: Any) -> None:
        """Hear them at once from now on, by the event loop of the node."""
        self._hub = hub
        for child in self._living:
            self._watch(child)

    def _watch(self, child: ChildProcess) -> None:
        self._hub.add_reader(child.wire.fileno(), self._on_wire, child)

    def _on_wire(self, child: ChildProcess) -> None:
        self._hear(child)
        if child.wire.is_closed:
            self._hub.remove_reader(child.wire.fileno())
        concerns_others = child.waits_for or child.is_done or self._lifetime.is_nearly_over(child)
        if concerns_others or child.wire.is_closed:
            self.look()

    def _hear(self, child: ChildProcess) -> None:
        heard = child.hear()
        state.total_count.update(heard.totals)
        if heard.ends:
            self.ends = self.ends + heard.ends
        self.outages += heard.outages

    def look(self) -> None:
        """Look after all of them once."""
        self.enforce_limits()
        self._beat()
        # The end of its wire tells of the end of a child, unless a job has passed that on.
        looks = monotonic() > self._looked_at + LOOK
        if looks:
            self._looked_at = monotonic()
        for child in self:
            child.wire.push()
            self._hear(child)
            if (looks or child.wire.is_closed) and child.has_ended():
                self._note_end(child)
        self._settle()
        self._hand_over()
        if not self.is_closing:
            self._renew()
            self._recycle()
            self.fill()

    def enforce_limits(self) -> None:
        """Kill every child with a job that is over its hard limit."""
        now = monotonic()
        for child in self:
            for each in child.executing():
                if each.hard and now > each.hard:
                    child.kill_for(each, seconds=tidy(round(each.hard - each.started, 3)))

    def _beat(self) -> None:
        """Beat for them: a job that keeps the interpreter keeps its process from doing so."""
        if monotonic() < self._beats_at:
            return
        busy = [child for child in self._living if child.identity and child.executing()]
        awake = [child for child in busy if child.is_awake]
        if not awake:
            return
        self._beats_at = monotonic() + self._ttl / BEATS
        try:
            for child in awake:
                self._settlement.beat(str(child.identity), self._ttl)
        except (RedisError, OSError) as error:
            outages.note()
            logger.debug("The node does not beat for its children: %s", error)

    # Those who end.

    def _note_end(self, child: ChildProcess) -> None:
        self._hear(child)
        if child not in self._living:
            return  # a signal has come in between
        self._living.remove(child)
        if self._hub is not None:
            self._hub.remove_reader(child.wire.fileno())
        child.wire.close()
        self._executed += child.slots.executed
        self.gone[_departure(child)] += 1
        if child.identity is None:
            # It could not even begin, and neither would the next.
            self._spawns_from = monotonic() + PAUSE
        self._ended.append(child)

    def _settle(self) -> None:
        self._settlement.owed.make_up()
        for child in list(self._ended):
            try:
                moved = self._settlement.settle(child, is_counted=self._has_crashed(child))
            except OUT_OF_REACH as error:
                outages.note()
                logger.warning("The jobs of process %s wait for Redis: %s", child.pid, error)
                return
            except Exception:
                # It has no heartbeat any more, so the reapers settle it, a little later.
                logger.exception("Process %s is left to the reapers", child.pid)
                moved = Counter()
            if child in self._ended:
                self._ended.remove(child)
            say = logger.info if child.code == 0 else logger.error
            left = ", ".join(f"{number} {what}" for what, number in moved.items()) or "nothing"
            say("Process %s ended with %s; in flight: %s", child.pid, child.code, left)

    def _has_crashed(self, child: ChildProcess) -> bool:
        """Whether a child has ended because of what it ran, as far as anybody knows."""
        return child.code != 0 and not child.was_killed

    # Those who begin.

    def fill(self) -> None:
        """Fork as many as are missing; if none are, let those go for whom no other is wanted."""
        missing = self.wanted - sum(not child.is_retiring for child in self._living)
        if missing <= 0:
            while (child := self._first_unfollowed()) is not None:
                child.stop()
        elif monotonic() > self._spawns_from:
            with suppress(TemplateGoneError):  # a new one is on its way
                for _ in range(missing):
                    self._fork()

    def _fork(self) -> None:
        taken = {child.index for child in (*self._living, *self._ended)}
        index = next((each for each in range(self._memory.most) if each not in taken), None)
        if index is None:
            logger.error("There is no room for more than %d processes", self._memory.most)
            self._spawns_from = monotonic() + PAUSE
            return
        slots = self._memory.slots(index)
        slots.clear()
        wire, theirs = pair()
        wire.send(self._greeting())
        template = self._templates.current
        with theirs:
            pid = template.spawn(self._brief(index), theirs)
        child = ChildProcess(index, pid, slots, wire, template)
        child.waits_for = self._first_unfollowed()
        if child.waits_for is None:
            child.go()
        self._living.append(child)
        if self._hub is not None:
            self._watch(child)

    # Those who leave for others.

    def retire(self, child: ChildProcess) -> None:
        """Let a child leave after its jobs, as soon as another is ready to take over."""
        child.is_retiring = True

    def _first_unfollowed(self) -> ChildProcess | None:
        """A child that is to leave, and for which no other waits."""
        awaited = [child.waits_for for child in self._living]
        return next(
            (
                child
                for child in self._living
                if child.is_retiring and child.stopped_at is None and child not in awaited
            ),
            None,
        )

    def _hand_over(self) -> None:
        """Let those who are ready take over: no more than are wanted run jobs at any moment."""
        for child in self:
            former = child.waits_for
            if former is None:
                continue
            if former in self._living and not former.is_done:
                if child.is_ready and former.stopped_at is None:
                    former.stop()
                if not self._may_overlap(former):
                    continue
            child.go()

    def _may_overlap(self, former: ChildProcess) -> bool:
        """Whether a child waits no longer: one long job must not keep so many threads idle."""
        stopped_at = former.stopped_at
        is_overdue = stopped_at is not None and monotonic() > stopped_at + LONG
        return is_overdue and self._memory.threads > 1

    def shrink(self, number: int) -> None:
        """Let so many leave for nobody, those without a job first."""
        staying = [child for child in self._living if not child.is_retiring]
        for child in sorted(staying, key=lambda child: len(child.executing()))[:number]:
            self.wanted -= 1
            child.stop()

    def renew(self) -> None:
        """Let all be replaced, one after the other, by some with today's code."""
        self._templates.want()

    def _renew(self) -> None:
        if self._templates.turn(child.template for child in self._living):
            self._to_renew = [child for child in self._living if not child.is_retiring]
        self._to_renew = [child for child in self._to_renew if child in self._living]
        if self._to_renew and not self._is_one_leaving:
            self.retire(self._to_renew.pop(0))

    def _recycle(self) -> None:
        """Let one leave whose lifetime is over."""
        staying = [child for child in self._living if not child.is_retiring]
        worn = next((child for child in staying if self._lifetime.is_nearly_over(child)), None)
        if worn is not None and not self._is_one_leaving:
            self.retire(worn)

    @property
    def _is_one_leaving(self) -> bool:
        """Whether a child is about to leave: they go one at a time, but wait for no long job."""
        since = monotonic() - LONG
        return any(
            child.is_retiring and (child.stopped_at is None or child.stopped_at > since)
            for child in self._living
            if not child.is_done
        )

    def kill(self) -> None:
        """End all of them at once."""
        self.is_closing = True
        for child in self._living:
            child.kill()

    def close(self) -> None:
        """Let the templates end."""
        self._templates.close()
