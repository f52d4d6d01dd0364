"""How a chord is noted while Celery publishes and counts it, to be watched and repaired."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from celery import states
from celery.app.amqp import AMQP
from celery.app.task import Context
from celery.exceptions import TaskRevokedError
from celery.result import GroupResult

from flaskiq import current
from flaskiq.broker.patience import insist
from flaskiq.message import DEATHS_HEADER, ERRORS_HEADER, PART_HEADER

if TYPE_CHECKING:
    _Base = AMQP
else:
    _Base = object

_Backend: Any = object  # a result backend of Celery's, which has hardly any types

LOOK_AGAIN = 0.2
"""Seconds between two looks at whether somebody else calls the body of a chord."""

calling: ContextVar[str | None] = ContextVar("flaskiq.calling_chord", default=None)
"""The chord whose body is published here: what is published meanwhile is enqueued once."""

limiting: ContextVar[int | None] = ContextVar("flaskiq.limiting_chord", default=None)
"""How many parts of the chord that is published here may be out at once."""


class NamesParts(_Base):
    """Mixin for an AMQP class: a message says of what chord its job is a part, or leads to one."""

    def _create_task_sender(self) -> Callable[..., Any]:
        send: Callable[..., Any] = super()._create_task_sender()  # type: ignore[misc]

        def send_task_message(
            producer: Any,
            name: str,
            message: Any,
            headers: Mapping[str, Any] | None = None,
            **options: Any,
        ) -> Any:
            part = _part(message.headers, message.body)
            if part is not None:
                headers = {**(headers or {}), PART_HEADER: part}
            return send(producer, name, message, headers=headers, **options)

        return send_task_message


def _part(headers: Mapping[str, Any], body: Any) -> Sequence[str] | None:
    """The chord and the part that a message leads to, itself or by the last job of its chain."""
    if isinstance(body, Mapping):  # protocol 1 has no chords that Redis counts
        return None
    embed = body[2]
    if embed.get("chord"):
        group = headers.get("group")
        return (group, headers["id"]) if group else None
    if embed.get("chain"):
        options = embed["chain"][0].get("options") or {}  # Celery keeps the last one in front
        if options.get("chord") and options.get("group_id"):
            return (options["group_id"], options["task_id"])
    return None


class NotesChords(_Backend):
    """Mixin for a Redis backend: chords are noted, called once, and can take errors as values.

    Celery counts the parts and calls the body; its keys and its scripts are as they were.
    """

    def apply_chord(self, header_result_args: Any, body: Any, **options: Any) -> Any:
        """Note a chord that is about to be published."""
        state = current.state_of(self.app)
        if state is not None:
            chord_id, results = header_result_args[0], header_result_args[1]
            order = _leaves(results) if isinstance(results, (list, tuple)) else []
            tenant = current.tenant_of(state).headers()
            state.store.chords.begin(chord_id, dict(body), order, tenant, limiting.get())
        return super().apply_chord(header_result_args, body, **options)

    def set_chord_size(self, group_id: str, chord_size: int) -> None:
        """Note how many parts a chord has: the last of them is about to be published."""
        super().set_chord_size(group_id, chord_size)
        flaskiq = current.state_of(self.app)
        if flaskiq is not None:
            flaskiq.store.chords.set_size(group_id, chord_size)

    def on_chord_part_return(
        self, request: Any, state: str, result: Any, propagate: Any = None, **options: Any
    ) -> None:
        """Count a part that has ended; whoever counts the last one calls the body, once."""
        chord_id = request.group
        flaskiq = current.state_of(self.app)
        if not chord_id or not request.id or flaskiq is None:
            super().on_chord_part_return(request, state, result, propagate, **options)
            return
        if state in states.PROPAGATE_STATES and takes_errors(request.chord):
            state, result = states.SUCCESS, error_value(request.id, result)

        def count() -> None:
            with _calling(chord_id):
                super(NotesChords, self).on_chord_part_return(
                    request, state, result, propagate, **options
                )

        count()
        if getattr(request, DEATHS_HEADER, None):
            self._outlast_claim(flaskiq, chord_id, count)
        name = getattr(request, "task", None) or ""
        insist(
            lambda: self._note_return(flaskiq, chord_id, request.id, name),
            f"Chord {chord_id} hears of its part {request.id}",
        )

    def mark_as_revoked(
        self,
        task_id: str,
        reason: str = "",
        request: Any = None,
        store_result: bool = True,
        state: str = states.REVOKED,
    ) -> None:
        """Record that a job was revoked; tell the chord to which its chain leads.

        Celery does that of a job that has failed, and not of a revoked one.
        """
        super().mark_as_revoked(task_id, reason, request, store_result, state)
        chain = getattr(request, "chain", None) or ()
        if any((each.get("options") or {}).get("chord") for each in chain):
            self._fail_chain(
                chain, TaskRevokedError(reason), store_result=store_result, state=state
            )

    def chord_error_from_stack(self, callback: Any, exc: Any = None) -> Any:
        """Fail the body of a chord; Celery leaves it uncounted where it is a part of another."""
        info = super().chord_error_from_stack(callback, exc)
        options = callback.get("options") or {}
        chord_id, body = options.get("group_id"), options.get("chord")
        if chord_id and body:
            part = part_context(options["task_id"], chord_id, options.get("group_index"), body)
            self.on_chord_part_return(part, states.FAILURE, exc)
        return info

    def _outlast_claim(
        self, flaskiq: current.State, chord_id: str, count: Callable[[], None]
    ) -> None:
        """Call the body if the process that had begun to died.

        A part that is run again may be the last one; its first process then has the claim, and
        Celery would leave the body to it.
        """
        size, claim = (self.get_key_for_group(chord_id, part) for part in (".s", ".c"))
        while self.client.exists(size) and not flaskiq.store.chords.has_called(chord_id):
            if self.client.get(claim) is None:
                count()
                return
            time.sleep(LOOK_AGAIN)

    def _note_return(self, flaskiq: current.State, chord_id: str, part_id: str, name: str) -> None:
        chords = flaskiq.store.chords
        if chords.returned(chord_id, part_id, name) == 0 and self.is_chord_over(chord_id):
            chords.finish(chord_id)

    def is_chord_over(self, chord_id: str) -> bool:
        """Whether the body of a chord was called, or has failed for one of the parts."""
        state = current.state_of(self.app)
        if state is None or state.store.chords.has_called(chord_id):
            return True
        registered = state.store.chords.get(chord_id)
        body_id = registered and registered.body["options"].get("task_id")
        if not body_id:
            return not self.client.exists(self.get_key_for_group(chord_id, ".s"))
        meta = self.get_task_meta(body_id, cache=False)
        return meta["status"] in states.READY_STATES


def part_context(
    part_id: str | None, chord_id: str, index: Any, body: Any, **known: Any
) -> Context:
    """Return what Celery wants to know of a part: its chord, and its place in the results."""
    of_chord = {"id": part_id, "group": chord_id, "group_index": index, "chord": body}
    return Context({**known, **of_chord})


@contextmanager
def _calling(chord_id: str) -> Iterator[None]:
    token = calling.set(chord_id)
    try:
        yield
    finally:
        calling.reset(token)


@contextmanager
def at_most(limit: int | None) -> Iterator[None]:
    """Let so many parts of a chord that is published in the block be out at once."""
    token = limiting.set(limit)
    try:
        yield
    finally:
        limiting.reset(token)


def takes_errors(body: Mapping[str, Any]) -> bool:
    return bool(((body.get("options") or {}).get("headers") or {}).get(ERRORS_HEADER))


def error_value(job_id: str, error: Any) -> dict[str, str]:
    """Return what stands in a list of results for a part that has failed."""
    return {
        "status": "failed",
        "task_id": job_id,
        "error": str(error),
        "error_type": type(error).__name__,
    }


def _leaves(results: Any) -> list[str]:
    """The ids of the parts in what a group will return, which may hold groups itself."""
    found: list[str] = []
    for each in results:
        found += _leaves(each.results) if isinstance(each, GroupResult) else [each.id]
    return found
