"""Reading: questions to Redis that can be asked together, so that a page needs few round trips.

::

    sizes = ready.sizes(queues)                                    # asked alone
    sizes, paused = ask(client, together(ready.sizes.reading(queues), ready.paused.reading()))
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from redis import Redis
from redis.exceptions import NoScriptError

from flaskiq.store import script

T = TypeVar("T")
Self = TypeVar("Self")
P = ParamSpec("P")

Command = tuple[Any, ...]

Reading = Generator[Sequence[Command], list[Any], T]
"""A question: yields the commands of one trip, is sent their replies, and in the end returns what
it has found. It changes nothing, since a trip may be made twice."""


def ask(client: Redis, reading: Reading[T]) -> T:
    """Make the trips of a reading, one for each time that it yields; return what it has found.

    Raises:
        redis.RedisError: Redis cannot be reached, or refuses a command.
    """
    try:
        commands = next(reading)
        while True:
            commands = reading.send(_trip(client, commands) if commands else [])
    except StopIteration as end:
        found: T = end.value
        return found


def together(*readings: Reading[Any]) -> Reading[list[Any]]:
    """Ask several at once: as many trips as the longest of them needs."""
    found: list[Any] = [None] * len(readings)
    asked: dict[int, Sequence[Command]] = {}

    def go_on(place: int, replies: list[Any] | None) -> None:
        try:
            # The first thing that a generator can be sent is None.
            asked[place] = readings[place].send(replies)  # type: ignore[arg-type]
        except StopIteration as end:
            found[place] = end.value

    for place in range(len(readings)):
        go_on(place, None)
    while asked:
        waiting, asked = asked, {}
        replies = yield [command for commands in waiting.values() for command in commands]
        for place, commands in waiting.items():
            go_on(place, replies[: len(commands)])
            replies = replies[len(commands) :]
    return found


def call(name: str, keys: Sequence[str], arguments: Sequence[Any]) -> Command:
    """Return the command that runs ``scripts/<name>.lua``."""
    return ("EVALSHA", script.sha(name), len(keys), *keys, *arguments)


def _trip(client: Redis, commands: Sequence[Command]) -> list[Any]:
    try:
        return _send(client, commands)
    except NoScriptError:
        for name in script.names():
            client.script_load(script.source(name))
        return _send(client, commands)


def _send(client: Redis, commands: Sequence[Command]) -> list[Any]:
    pipeline: Any = client.pipeline(transaction=False)
    with pipeline as pipe:
        for command in commands:
            pipe.execute_command(*command)
        replies: list[Any] = pipe.execute()
    return replies


class readable(Generic[Self, P, T]):  # noqa: N801 - a decorator
    """Makes a method of a structure, which is a reading, one that can be called alone, too.

    ``ready.sizes(queues)`` makes its trips and returns; ``ready.sizes.reading(queues)`` is to be
    asked together with others.
    """

    def __init__(self, method: Callable[Concatenate[Self, P], Reading[T]]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, owner: Self, _: type[Self] | None = None) -> Readable[P, T]:
        return Readable(owner, self._method)


class Readable(Generic[P, T]):
    """A readable method of one structure."""

    def __init__(self, owner: Any, method: Callable[..., Reading[T]]) -> None:
        self._owner, self._method = owner, method

    def reading(self, *args: P.args, **kwargs: P.kwargs) -> Reading[T]:
        """Return the question, not asked yet."""
        return self._method(self._owner, *args, **kwargs)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> T:
        """Ask it alone."""
        return ask(self._owner._client, self.reading(*args, **kwargs))  # noqa: SLF001
