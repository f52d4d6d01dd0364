"""Questions that are asked together."""

from __future__ import annotations

import pytest
from redis import Redis, ResponseError

from flaskiq.store.keys import Keys
from flaskiq.store.numbers import count
from flaskiq.store.reading import Reading, ask, together
from flaskiq.store.ready import Ready


def get(*names: str) -> Reading[list[str | None]]:
    """Each name in a trip of its own."""
    found = []
    for name in names:
        found += yield [("GET", name)]
    return found


def trips(client: Redis) -> int:
    return int(client.info("stats")["total_reads_processed"])


def test_as_many_trips_as_the_longest_needs(store: Redis) -> None:
    store.mset({"a": 1, "b": 2, "c": 3})
    ask(store, get("a"))
    made = []
    for _ in range(5):  # another connection that is closed just then counts, too
        before = trips(store)
        found = ask(store, together(get("a", "b", "c"), get("c"), get()))
        assert found == [["1", "2", "3"], ["3"], []]
        made.append(trips(store) - before)
    assert min(made) == 3 + 1, "and one that counts them"


def test_together_within_together(store: Redis) -> None:
    store.mset({"a": 1, "b": 2})
    assert ask(store, together(together(get("a"), get("b", "a")), get("b"))) == [
        [["1"], ["2", "1"]],
        ["2"],
    ]


def test_a_server_that_has_lost_the_scripts(store: Redis) -> None:
    store.script_flush()
    numbers, sizes = ask(
        store, together(count(Keys(), ["low"]), Ready(store, Keys()).sizes.reading(["low"]))
    )
    assert (numbers.queues, sizes) == ({"low": 0}, {"low": 0})


def test_what_redis_refuses_is_an_error(store: Redis) -> None:
    store.lpush("a", 1)
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        ask(store, together(get("b"), get("a")))
