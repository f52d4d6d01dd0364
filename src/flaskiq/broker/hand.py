"""Hand: the jobs that a process has fetched, from the fetch to the acknowledgement."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable, Sequence
from itertools import islice

from flaskiq.store.processes import Fetched

LEAP = 1_000_000
"""How far the seqs jump after a lost reply, so that none is ever used twice."""

_NOTHING = range(0)


class Hand:
    """Which seq each job in hand has, by delivery tag, and which are on their way in and out.

    The event loop, the threads that run jobs and the heartbeat use it; a job is found in one of its
    stages at any moment.
    """

    def __init__(self) -> None:
        self._seq = 0
        self._on_the_way = _NOTHING
        self._has_leapt = False
        self._held: dict[str, int] = {}
        self._begun: set[str] = set()
        self._alone: str | None = None
        self._acks: deque[int] = deque()
        self._leaving: set[int] = set()
        self._uncertain: set[int] = set()
        self._given_away: set[str] = set()
        self._fenced = 0
        self._moving = threading.Lock()

    def __contains__(self, tag: object) -> bool:
        return tag in self._held

    def next_seqs(self, credit: int) -> int:
        """Return the first of ``credit`` seqs that were never used, for a fetch sent now."""
        first = self._seq
        self._seq += credit
        self._on_the_way = range(first, self._seq)
        return first

    def landed(self) -> None:
        """Note that everything that came with the last fetch is in hand."""
        self._on_the_way = _NOTHING

    def hold(self, tag: str, seq: int, *, alone: bool = False) -> None:
        """Note that a fetched job is in hand under this tag; ``alone``: no other may be."""
        self._held[tag] = seq
        if alone:
            self._alone = tag

    def land(self, jobs: Sequence[Fetched], *, alone: bool) -> None:
        """Note that all that came with the last fetch is in hand, each job under its own tag."""
        for job in jobs:
            self._held[job.tag] = job.seq
        if alone:
            self._alone = jobs[0].tag
        self._on_the_way = _NOTHING

    @property
    def wants_no_company(self) -> bool:
        """Whether a job is in hand that must not have others beside it."""
        return self._alone in self._held

    def seq_of(self, tag: str) -> int | None:
        """Return the seq of a job in hand, None if it is not one of ours."""
        return self._held.get(tag)

    def release(self, tag: str) -> int | None:
        """Let go of a job; return its seq, None if it is not one of ours."""
        seq = self._held.pop(tag, None)
        self._begun.discard(tag)  # after that: at no moment it looks as if it had not begun
        return seq

    def begin(self, tag: str) -> bool:
        """Note that a job in hand starts; False if it is in hand no more, and must not start."""
        with self._moving:
            if tag in self._held:
                self._begun.add(tag)
                return True
        self._given_away.discard(tag)  # it does not start: nothing to count
        return False

    def release_unstarted(self, tags: Iterable[str]) -> list[int]:
        """Let go of those jobs that have not begun; return their seqs."""
        with self._moving:
            released = [self.release(tag) for tag in tags if tag not in self._begun]
        return [seq for seq in released if seq is not None]

    def finish(self, tag: str) -> bool:
        """Note a finished job, to be acknowledged with the next fetch; False if it is not ours."""
        seq = self._held.get(tag)
        if seq is None:
            self._fenced += tag in self._given_away
            self._given_away.discard(tag)
            return False
        # In this order: other threads must find it in one of the two at any moment.
        self._acks.append(seq)
        self.release(tag)
        return True

    def finish_again(self, seqs: Iterable[int]) -> None:
        """Give back what :meth:`take_acks` returned, since nobody knows whether it got there."""
        for seq in seqs:
            self._uncertain.add(seq)
            self._acks.append(seq)
            self._leaving.discard(seq)

    def expect_nothing(self, tag: str) -> None:
        """Note that a job in hand has left flight in another way than by its acknowledgement."""
        self._given_away.discard(tag)
        seq = self._held.get(tag)
        if seq is not None:
            self._uncertain.add(seq)

    def is_ours(self, tag: str) -> bool:
        """Whether a job is in hand; one that was given away will not start."""
        self._given_away.discard(tag)
        return tag in self._held

    def count_fenced(self, acks: Sequence[int], acknowledged: int) -> int:
        """Return how many jobs finished here after others were given them, as far as is certain.

        ``acks`` have arrived, and ``acknowledged`` of them were still in flight.
        """
        self._leaving.difference_update(acks)
        earlier, self._fenced = self._fenced, 0
        if acknowledged == len(acks) and not self._uncertain:
            return earlier
        uncertain = self._uncertain.intersection(acks)
        self._uncertain -= uncertain
        return earlier + max(0, len(acks) - acknowledged - len(uncertain))

    def take_acks(self, most: int = 1000) -> list[int]:
        """Return finished jobs to acknowledge; after a failure, :meth:`finish_again`."""
        with self._moving:
            acks = list(islice(self._acks, most))
            self._leaving.update(acks)
            for _ in acks:
                self._acks.popleft()
        return acks

    @property
    def size(self) -> int:
        """How many jobs are in hand."""
        return len(self._held)

    @property
    def has_finished(self) -> bool:
        """Whether a finished job is not acknowledged yet."""
        return bool(self._acks)

    def tags(self) -> list[str]:
        """The delivery tags of the jobs in hand."""
        return list(self._held)

    def known(self) -> set[int]:
        """The seqs of all that is on its way to, in, and on its way out of this process.

        Read in the order in which a job moves on, so that none is missed between two of them.
        """
        known = set(self._on_the_way)
        for stage in (self._held.values(), self._acks, self._leaving, self._uncertain):
            known.update(list(stage))
        return known

    def leap(self) -> None:
        """After a lost reply: nothing is on its way, and none of its seqs is used again."""
        self.landed()
        self._has_leapt = True
        self._seq += LEAP

    @property
    def is_settled(self) -> bool:
        """Whether every fetch was answered: none can put jobs into flight later."""
        return not (self._on_the_way or self._has_leapt)

    def give_away(self) -> None:
        """Others have been given everything: remember only what may still finish here."""
        self._fenced += len(self._acks)
        self._given_away.update(self._held)
        self.clear()

    def clear(self) -> None:
        """Have nothing in hand."""
        self._held.clear()
        self._begun.clear()
        self._acks.clear()
        self._leaving.clear()
        self._uncertain.clear()
        self._has_leapt = False
        self.landed()
