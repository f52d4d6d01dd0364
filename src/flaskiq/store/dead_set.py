"""The dead set: jobs that gave up. It is bounded; the oldest leave it first."""

from __future__ import annotations

from time import time
from typing import Any, NamedTuple

from redis import Redis

from flaskiq.failure import Failure
from flaskiq.message import renewed
from flaskiq.store import script
from flaskiq.store.flight import Flight
from flaskiq.store.job_set import JobSet
from flaskiq.store.keys import Keys
from flaskiq.store.place import Placed


class Caps(NamedTuple):
    """How much the dead set keeps; ``age`` in seconds. The defaults are Sidekiq's."""

    jobs: int = 10_000
    age: float = 180 * 86_400


class DeadSet(JobSet):
    """See the module; ``at`` of an entry is when the job died."""

    def __init__(self, client: Redis, keys: Keys, caps: Caps) -> None:
        super().__init__(client, keys, "dead")
        self._caps = caps
        self._bury = script.load(client, "bury")

    def bury(self, job_id: str, placed: Placed, failure: Failure) -> None:
        """Put a job that is nowhere else into the set."""
        self._run([], [job_id, placed.pack(), failure.pack(), *self._caps])

    def bury_from_flight(
        self,
        job_id: str,
        failure: Failure,
        flight: Flight,
        *,
        seen: bytes = b"",
        placed: Placed | None = None,
    ) -> bool:
        """Take a job out of flight and put it into the set, in one step.

        It is kept as it is in flight, unless ``placed`` says otherwise. Returns False, and does
        nothing, if it is not in flight there any more, or not as it was ``seen``.
        """
        value = placed.pack() if placed else b""
        arguments = [job_id, value, failure.pack(), *self._caps, flight.seq, seen]
        return self._run([self._keys.inflight(flight.process)], arguments)

    def _run(self, inflight: list[str], arguments: list[Any]) -> bool:
        return bool(self._bury([self._zset, self._jobs, self._failures, *inflight], arguments))

    def trim(self) -> None:
        """Forget the jobs that are too old or too many; each burial forgets some, too."""
        too_old = self._client.zcount(self._zset, "-inf", time() - self._caps.age)
        too_many = len(self) - self._caps.jobs
        while (most := min(1000, max(too_old, too_many))) > 0:
            oldest = self._client.zrange(self._zset, 0, most - 1)
            self.remove_all([job_id.decode() for job_id in oldest])
            too_old, too_many = too_old - most, too_many - most

    def retry(self, job_id: str) -> bool:
        """Put a dead job behind the others of its queue; return whether it was there.

        It keeps its id and its family; its attempts are counted anew, and those it has had are
        not forgotten.
        """
        packed = self._client.hget(self._failures, job_id)
        failure = Failure.unpack(packed) if packed else None
        last = failure.last_attempt() if failure else None
        return self._release_as(job_id, lambda message: renewed(message, last))
