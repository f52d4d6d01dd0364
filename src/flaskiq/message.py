"""The message of a job as it lies in Redis: Celery's protocol 2 in kombu's envelope. Pure."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from json import encoder
from json.encoder import encode_basestring_ascii as quote
from time import time
from typing import Any, NamedTuple

from celery.app.task import Context
from kombu.utils.json import JSONEncoder, loads

from flaskiq.attempt import Attempt, carry

FAILED_AT_HEADER = "flaskiq_failed_at"
"""Header of a retry: when the job first failed, in seconds since the epoch."""

ATTEMPTS_HEADER = "flaskiq_attempts"
"""Header with the attempts that a job has had (``attempt.py``): a replayed one keeps them."""

ENQUEUED_AT_HEADER = "flaskiq_enqueued_at"
"""Header that says since when the job is ready, in seconds since the epoch: its queue's latency."""

DEATHS_HEADER = "flaskiq_deaths"
"""Header that counts the processes which died with the job in flight."""

REASON_HEADER = "flaskiq_reason"
"""Header that says why the last of them has buried it."""

CRON_HEADER = "flaskiq_cron"
"""Header that names the cron entry which has enqueued a job."""

BATCH_HEADER = "flaskiq_batch"
"""Header that names the batch of a job."""

PART_HEADER = "flaskiq_part"
"""Header that says of what chord a job is a part, or leads to one: ``[chord id, part id]``."""

ERRORS_HEADER = "flaskiq_errors_as_values"
"""Header of a chord's body that is to be called with the errors of parts among the results."""

_CELERY_S = frozenset({*vars(Context), "lang", "task", "argsrepr", "kwargsrepr", "compression"})
"""Headers that are Celery's own (``Context._get_custom_headers`` in celery/app/task.py, 5.7)."""

_OF_ATTEMPTS = frozenset({FAILED_AT_HEADER, DEATHS_HEADER, REASON_HEADER})

ARGSREPR_MAXSIZE = 1024
"""Characters; as Celery cuts what it shows of arguments (``Task.resultrepr_maxsize``)."""

TYPED = b'"__type__'
"""Is in a message of which kombu makes more than plain JSON; a body in base64 hides it."""

_scan: Any = vars(json.JSONDecoder())["scan_once"]

_make_parts: Any = vars(encoder)["c_make_encoder"]
"""None outside of CPython."""


def json_writer(*, items: str = ", ", keys: str = ": ") -> Callable[[Any], str]:
    """Return a function that writes the JSON of kombu, with these separators.

    Python makes the encoder anew for each value, which takes as long as a short one.
    """
    whole = JSONEncoder(separators=(items, keys))
    if _make_parts is None:
        return whole.encode
    parts = _make_parts(None, whole.default, quote, None, keys, items, False, False, True)
    return lambda value: "".join(parts(value, 0))


_encode = json_writer(items=",", keys=":")


class Message(NamedTuple):
    """The parts of a message; ``embed`` holds callbacks, errbacks, chain and chord."""

    headers: dict[str, Any]
    properties: dict[str, Any]
    args: list[Any]
    kwargs: dict[str, Any]
    embed: dict[str, Any]

    def context(self) -> Context:
        """Return what Celery's result backend wants to know of a job that does not run."""
        return Context(self.headers, args=self.args, kwargs=self.kwargs, **self.embed)


def read(raw: bytes) -> Message:
    """Return the message in the bytes of a queue.

    Raises:
        ValueError, KeyError: it is not a protocol 2 message in JSON.
    """
    envelope = loads(raw)
    body, properties = envelope["body"], envelope["properties"]
    if properties.get("body_encoding") == "base64":
        body = b64decode(body)
    args, kwargs, embed = loads(body)
    return Message(envelope["headers"], properties, args, kwargs, embed or {})


def read_json(text: str) -> Any:
    """Return what ``json.loads`` would; of a short text in two thirds of its time."""
    try:
        value, end = _scan(text, 0)
    except StopIteration:  # it begins with something else
        end = -1
    return value if end == len(text) else json.loads(text)


def read_envelope(raw: bytes, *, typed: bool | None = None) -> dict[str, Any]:
    """Return the envelope in the bytes of a queue, if kombu can make a message of it.

    ``typed``: whether :data:`TYPED` is in it, for who knows; to look takes a while in a long one.

    Raises:
        ValueError: it cannot.
    """
    if typed is None:
        typed = TYPED in raw
    # kombu's reading of typed values costs as much again, and nearly no message has one.
    envelope: dict[str, Any] = (loads if typed else read_json)(raw.decode())
    parts = envelope if isinstance(envelope, dict) else {}
    for name, kind in (("body", str), ("headers", dict), ("properties", dict)):
        if not isinstance(parts.get(name), kind):
            raise ValueError(f"the message has no {name}")  # noqa: TRY004 - like broken JSON
    if envelope["properties"].get("body_encoding") == "base64":
        b64decode(envelope["body"])
    headers = envelope["headers"]
    if isinstance(headers.get("headers"), dict):
        # Sentry has some twice, and a task is shown only these: none of the others is to be missed.
        headers["headers"] = {**custom(headers), **headers["headers"]}
    return envelope


def custom(headers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the headers of a message that are not Celery's own."""
    own = {}
    for name, value in headers.items():
        if name not in _CELERY_S:
            own[name] = value  # noqa: PERF403 - a comprehension is a call more
    return own


def renewed(raw: bytes, last: Attempt | None = None) -> bytes:
    """Return the message of a job whose attempts are counted anew: same id and family.

    It still tells of those that it has had, ``last`` at their end. What nobody can read comes back
    as it is.
    """
    try:
        # Not kombu's, which makes objects of some texts.
        envelope = json.loads(raw)
        headers = envelope["headers"]
        kept = {name: value for name, value in headers.items() if name not in _OF_ATTEMPTS}
    except (ValueError, KeyError, TypeError, AttributeError):
        return raw
    # The time that the job was meant for is over, and whoever replays it knows that.
    kept.update({name: None for name in ("eta", "expires") if name in kept})
    if last is not None:
        kept[ATTEMPTS_HEADER] = carry(kept.get(ATTEMPTS_HEADER), last)
    return json.dumps(
        {**envelope, "headers": {**kept, "retries": 0, ENQUEUED_AT_HEADER: round(time(), 3)}}
    ).encode()


def marks(job_id: str) -> tuple[str, str]:
    """How the id of a job stands in its message, but not in those of its children."""
    quoted = json.dumps(job_id)
    return f'"id": {quoted}', f'"id":{quoted}'


def ready_since(raw: bytes, at: float) -> bytes:
    """Return a message that says when its job was, or will be, ready; as it is if unreadable."""
    try:
        envelope = json.loads(raw)
        headers = {**envelope["headers"], ENQUEUED_AT_HEADER: round(at, 3)}
    except (ValueError, KeyError, TypeError):
        return raw
    return json.dumps({**envelope, "headers": headers}).encode()


def undated(raw: bytes) -> bytes:
    """Return a message that does not say since when its job is ready."""
    envelope = json.loads(raw)
    envelope["headers"].pop(ENQUEUED_AT_HEADER, None)
    return json.dumps(envelope).encode()


class Template:
    """The messages of one task on one queue, written but for what differs from job to job.

    As small as a stock worker of Celery 5.7, Flower and ``AsyncResult`` can read: a header that is
    not there has its default (``Request`` in celery/worker/request.py), and a body without a
    ``body_encoding`` is plain text (``decode_body`` in kombu/transport/virtual/base.py).
    """

    def __init__(self, task: str, queue: str, headers: Mapping[str, Any]) -> None:
        self.queue = queue
        delivery = {"delivery_info": {"exchange": "", "routing_key": queue}}
        self._headers = _encode({"task": task, **headers})[1:-1]
        self._properties = _encode(delivery)[1:-1]

    def fill(
        self,
        job_id: str,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        root_id: str,
        headers: Mapping[str, Any],
    ) -> str:
        """Return the message of one job, in ASCII, with ``headers`` beside the template's own."""
        identity = quote(job_id)
        more = f",{_encode(headers)[1:-1]}" if headers else ""
        if kwargs:
            more += f',"kwargsrepr":{_shown(kwargs)}'
        return (
            f'{{"body":{quote(_encode((args, kwargs, {})))},'
            '"content-encoding":"utf-8","content-type":"application/json",'
            f'"headers":{{"id":{identity},"root_id":{quote(root_id)},'
            f'"argsrepr":{_shown(args)},"{ENQUEUED_AT_HEADER}":{time():.3f},'
            f"{self._headers}{more}}},"
            f'"properties":{{"delivery_tag":{identity},{self._properties}}}}}'
        )


def _shown(value: Any) -> str:
    text = repr(value)
    return quote(text if len(text) <= ARGSREPR_MAXSIZE else f"{text[: ARGSREPR_MAXSIZE - 3]}...")
