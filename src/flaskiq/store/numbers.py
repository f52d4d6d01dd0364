"""Numbers: how many jobs there are of each kind, all of them in one trip."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from flaskiq.store.keys import Keys
from flaskiq.store.reading import Reading, call
from flaskiq.tally import ENDINGS, failed, processed


class Numbers(NamedTuple):
    """What there is now; ``processed`` and ``failed`` are attempts since the beginning."""

    processed: int
    failed: int
    busy: int
    enqueued: int
    retries: int
    scheduled: int
    dead: int
    processes: int
    queues: Mapping[str, int]


def count(keys: Keys, queues: Sequence[str]) -> Reading[Numbers]:
    """Count; the cost does not depend on how many jobs there are."""
    lists = [keys.lists(queue) for queue in queues]
    names = [keys.counters, keys.processes, keys["scheduled"], keys["retry"], keys["dead"]]
    names += [name for each in lists for name in each]
    (found,) = yield [call("numbers", names, [keys.running(""), *ENDINGS])]
    processes, busy, scheduled, retries, dead = found[:5]
    ended = dict(zip(ENDINGS, found[5:], strict=False))
    sizes = iter(found[5 + len(ENDINGS) :])
    by_queue = {
        queue: sum(next(sizes) for _ in each) for queue, each in zip(queues, lists, strict=True)
    }
    return Numbers(
        processed=processed(ended),
        failed=failed(ended),
        busy=busy,
        enqueued=sum(by_queue.values()),
        retries=retries,
        scheduled=scheduled,
        dead=dead,
        processes=processes,
        queues=by_queue,
    )
