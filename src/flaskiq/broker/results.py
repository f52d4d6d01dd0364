"""The result backend: Celery's for Redis, without the round trips that nobody needs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from celery import states
from celery.backends import redis
from celery.exceptions import BackendStoreError
from kombu.utils.encoding import bytes_to_str

from flaskiq import current
from flaskiq.broker.chords import NotesChords
from flaskiq.broker.owed import is_owed
from flaskiq.message import json_writer
from flaskiq.store.flight import FLIGHT_HEADER, Flight
from flaskiq.store.keys import Keys
from flaskiq.store.results import Results, StateOf

if TYPE_CHECKING:
    from celery import Celery

logger = logging.getLogger(__name__)

_IN_OUTBOX = frozenset({states.STARTED, states.SUCCESS})

_encode = json_writer()

TENANT = "tenant"
"""The field of Celery's record of a result that says whom the job ran for."""

# Celery's backends have hardly any types.
_Base: Any = object
_StoreError: Any = BackendStoreError
_ResultConsumer: Any = vars(redis)["ResultConsumer"]


class SureConsumer(_ResultConsumer):
    """Looks at a record again when Redis has confirmed that it will tell of a change.

    Celery sends SUBSCRIBE on one connection and then reads the record over another. Redis may take
    them in the other order, and where the job ends in between, ``get()`` would wait for ever.
    """

    _current: Any = None

    @property
    def _pubsub(self) -> Any:
        return self._current

    @_pubsub.setter
    def _pubsub(self, pubsub: Any) -> None:
        if pubsub is not None:
            pubsub.handle_message = partial(self._handle, pubsub.handle_message)
        self._current = pubsub

    def _handle(self, handle: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        if response and response[0] in (b"subscribe", "subscribe"):
            self._look_again(response[1])
        return handle(response, *args, **kwargs)

    def _look_again(self, key: Any) -> None:
        if key not in self.subscribed_to or key in self._pending_unsubscribe:
            return
        record = self.backend.client.get(key)
        if record:
            self.on_state_change(self._decode_result(record), None)


class ThinResults(_Base):
    """Mixin for a Redis backend: one command for each result, none for enqueueing.

    Keys and JSON are Celery's. In a job it waits for Redis as long as it takes: Celery gives up
    after 20 seconds, and the job would be done, but neither recorded nor acknowledged.
    """

    ResultConsumer: Any = SureConsumer

    _outbox: Outbox | None = None

    is_quiet_on_call = True
    """Whether :meth:`on_task_call` does nothing, so that enqueueing may leave it out."""

    def __init__(self, *args: Any, url: str | None = None, app: Any = None, **kwargs: Any) -> None:
        # Celery would have taken the name of the backend off: redis+socket:// is its socket://.
        url = (url or app.conf.result_backend).removeprefix("redis+")
        kwargs.update(app=app, url=url)
        super().__init__(*args, **kwargs)

    def on_task_call(self, producer: Any, task_id: str) -> None:
        """Leave the subscription to ``get()``.

        Celery subscribes for every job it sends, waits 20 seconds for that if Redis is down, and
        hides the broker's own error. ``get()`` subscribes by itself, and :class:`SureConsumer`
        looks whether the result has come in the meantime.
        """

    def ensure(self, fun: Any, args: Any, **policy: Any) -> Any:
        """Repeat while Redis is out of reach; in a job without end, not if the caller does."""
        if is_owed.get():
            policy["max_retries"] = 0
        elif self.app.current_worker_task:
            policy["max_retries"] = None
        return super().ensure(fun, args, **policy)

    def get(self, key: str) -> Any:
        """Read a record; in a job, wait for Redis."""
        if self.app.current_worker_task:
            return self.ensure(super().get, (key,))
        return super().get(key)

    def store_result(
        self,
        task_id: str,
        result: Any,
        state: str,
        traceback: Any = None,
        request: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Store a state; what an :class:`Outbox` takes needs none of Celery's tries."""
        outbox = self._outbox
        if outbox is None:
            outbox = self._outbox = outboxes.get(self.app)
        is_kept = outbox is not None and state in _IN_OUTBOX and self._is_plain
        flight = self._flight(request) if is_kept else None
        if outbox is None or flight is None or (state == states.SUCCESS and request.chord):
            return super().store_result(task_id, result, state, traceback, request, **kwargs)
        if state == states.STARTED:
            outbox.start(flight, partial(self._pack, task_id, result, state, None, request))
            return result
        result = self.encode_result(result, state)
        outbox.succeed(flight, self._pack(task_id, result, state, None, request))
        return result

    def _store_result(
        self,
        task_id: str,
        result: Any,
        state: str,
        traceback: Any = None,
        request: Any = None,
        **kwargs: Any,
    ) -> Any:
        """Write a state in one trip; Celery reads first, and writes in a transaction."""
        if not self._is_plain:
            return super()._store_result(task_id, result, state, traceback, request, **kwargs)
        packed = self._pack(task_id, result, state, traceback, request)
        flight = self._flight(request)
        if self._outbox is not None and flight:
            self._outbox.has_gone_on(flight)
        if flight and state == states.RETRY:
            # It has left flight in the step that let it wait, and may even run again by now.
            self.ensure(self._results.store_waiting, (*packed, task_id))
        elif not self.ensure(self._results.store, (*packed, flight and Flight.parse(flight))):
            logger.warning("Job %s is not %s: others have been given it", task_id, state)
        return result

    def _pack(
        self, task_id: str, result: Any, state: str, traceback: Any, request: Any
    ) -> tuple[str, str, int]:
        """Return the key of a result, its JSON, and the seconds that it is kept."""
        meta = self._get_result_meta(result, state, traceback, request)
        value = self._encoded({**meta, "task_id": task_id})
        if len(value) > self._MAX_STR_VALUE_SIZE:
            raise _StoreError("value too large for Redis", state=state, task_id=task_id)
        expires = self.failure_expires if state == states.FAILURE else self.expires
        return self._key(task_id), value, int(expires or 0)

    def _key(self, task_id: Any) -> str:
        """As ``get_key_for_task``, which makes it of bytes."""
        if type(task_id) is not str or not task_id:
            return str(bytes_to_str(self.get_key_for_task(task_id)))
        return self._prefix + task_id

    @cached_property
    def _prefix(self) -> str:
        return str(bytes_to_str(self.get_key_for_task("-"))[:-1])

    def _encoded(self, meta: dict[str, Any]) -> str:
        try:
            return _encode(meta)
        except Exception:  # noqa: BLE001 - Celery says what is wrong with it
            return str(self.encode(meta))

    def _get_result_meta(
        self, result: Any, state: str, traceback: Any, request: Any, *args: Any, **kwargs: Any
    ) -> dict[str, Any]:
        """Return Celery's record; that of a success, which is written most, at half its price."""
        flaskiq, headers = current.state_of(self.app), getattr(request, "headers", None)
        tenant = flaskiq.tenancy.plain(headers) if flaskiq and headers else None
        known = {TENANT: tenant} if tenant else {}
        if state != states.SUCCESS or args or kwargs or self._is_extended:
            meta: dict[str, Any] = super()._get_result_meta(
                result, state, traceback, request, *args, **kwargs
            )
            return {**meta, **known}
        meta = {
            "status": state,  # first: by that the scripts know a success
            "result": result,
            "traceback": traceback,
            "children": self.current_task_children(request),
            "date_done": datetime.now(self._timezone).isoformat(),
            **known,
        }
        for name, field in (("group", "group_id"), ("parent_id", "parent_id")):
            value = getattr(request, name, None)
            if value:
                meta[field] = value
        return meta

    @cached_property
    def _is_plain(self) -> bool:
        return self.serializer == "json" and not self.compression

    @cached_property
    def _is_extended(self) -> bool:
        return bool(self.app.conf.find_value_for_key("extended", "result"))

    @cached_property
    def _results(self) -> Results:
        options = self.app.conf.broker_transport_options or {}
        return Results(self.client, Keys(options.get("global_keyprefix", "")))

    def _flight(self, request: Any) -> str | None:
        """Where the job must still be in flight, as far as that can be told: a :class:`Flight`.

        Not in another database than that of the results, and not for a task that is acknowledged
        before it runs.
        """
        flight = getattr(request, FLIGHT_HEADER, None)
        if not flight or not self._is_in_database_of_broker:
            return None
        task = self._tasks.get(getattr(request, "task", None))
        return str(flight) if task is None or task.acks_late else None

    # Celery's own attributes are looked up in Python each time, kombu's cached properties too.

    @cached_property
    def _tasks(self) -> Any:
        return self.app.tasks

    @cached_property
    def _timezone(self) -> Any:
        return self.app.timezone

    @cached_property
    def _is_in_database_of_broker(self) -> bool:
        return bool(self.app.conf.broker_url == self.app.conf.result_backend)


Pack = Callable[[], tuple[str, str, int]]
"""Makes the key, the value and the seconds of a :class:`StateOf`."""


class Outbox:
    """Results of jobs that succeeded, each until the acknowledgement of its job takes it along.

    And that jobs have started: a short one has ended before anybody can want to know. ``flight`` is
    a :class:`Flight` as text.
    """

    def __init__(self) -> None:
        self._results: dict[int, StateOf] = {}
        self._started: dict[str, Pack] = {}
        self._writing = threading.Lock()

    def __contains__(self, seq: int) -> bool:
        """Whether there is a result of a job in flight."""
        return seq in self._results

    def start(self, flight: str, pack: Pack) -> None:
        """Note that a job has started; ``pack`` is called if that is to be written."""
        self._started[flight] = pack

    def succeed(self, flight: str, packed: tuple[str, str, int]) -> None:
        """Take the result of a job."""
        self.add(StateOf(Flight.parse(flight).seq, *packed))
        # What is written of its start meanwhile does not outdo a success.
        self._started.pop(flight, None)

    def add(self, *results: StateOf) -> None:
        """Take results; also back, when nobody knows whether they were written."""
        for result in results:
            self._results[result.seq] = result

    def has_gone_on(self, flight: str) -> None:
        """Note that a job is in another state: nothing older is written after that."""
        with self._writing:
            self._started.pop(flight, None)

    def write_started(self, write: Callable[[list[StateOf]], Any]) -> None:
        """Write which jobs have started."""
        if not self._started:
            return
        with self._writing:
            started = []
            with suppress(KeyError):
                while True:  # one by one: a job may start meanwhile
                    started.append(self._started.popitem())
            if started:
                write([StateOf(Flight.parse(flight).seq, *pack()) for flight, pack in started])

    def clear(self) -> None:
        """Forget them: others have been given the jobs."""
        self._results.clear()

    def take(self, seqs: Iterable[int]) -> list[StateOf]:
        """Return the results of these jobs; written twice they are the same."""
        found = [self._results.pop(seq, None) for seq in seqs]
        return [result for result in found if result is not None]


outboxes: WeakKeyDictionary[Celery, Outbox] = WeakKeyDictionary()
"""Where the successes of an app wait for the next fetch; only in a process that fetches for it."""


class RedisBackend(NotesChords, ThinResults, redis.RedisBackend):
    """Results in Redis: ``redis://``, ``rediss://``, ``redis+socket://``."""


class SentinelBackend(NotesChords, ThinResults, redis.SentinelBackend):
    """Results in a Redis behind Sentinel: ``sentinel://``."""


_BACKENDS: dict[str, Any] = {
    "redis": RedisBackend,
    "rediss": RedisBackend,
    "redis+socket": RedisBackend,
    "sentinel": SentinelBackend,
}


def install(celery: Celery, url: str) -> None:
    """Use our backend for results at a Redis ``url``; any other keeps Celery's own."""
    celery.backend_cls = _BACKENDS.get(url.partition("://")[0])
