"""Bounded: a look that may take for ever, and an answer that does not."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, TimeoutError  # noqa: A004 - on Python 3.10 it is another
from threading import Lock, Thread
from time import monotonic
from typing import Generic, TypeVar

from flaskiq.health.trouble import TroubleError

KEPT = 1.0
"""Seconds for which an answer is good: many may ask, and Redis is asked once."""

T = TypeVar("T")


class Bounded(Generic[T]):
    """Answers what ``look`` returns or raises, within ``patience`` seconds.

    It looks in a thread of its own, and never twice at once: where one look hangs, those who ask
    are told so.
    """

    def __init__(self, look: Callable[[], T], patience: float) -> None:
        self._look, self._patience = look, patience
        self._lock = Lock()
        self._answer: Future[T] | None = None
        self._asked_at = self._answered_at = 0.0

    def __call__(self) -> T:
        """Return the answer.

        Raises:
            TroubleError: there is none in time.
        """
        answer, asked_at = self._current()
        try:
            return answer.result(max(0.0, asked_at + self._patience - monotonic()))
        except TimeoutError:
            raise TroubleError(f"no answer within {self._patience:g} s") from None

    def _current(self) -> tuple[Future[T], float]:
        with self._lock:
            answer = self._answer
            if answer is None or (answer.done() and monotonic() > self._answered_at + KEPT):
                answer = self._answer = Future()
                self._asked_at = monotonic()
                Thread(target=self._run, args=(answer,), name="flaskiq-look", daemon=True).start()
            return answer, self._asked_at

    def _run(self, answer: Future[T]) -> None:
        try:
            found = self._look()
        except BaseException as error:  # noqa: BLE001 - whoever asks is told
            self._answered_at = monotonic()
            answer.set_exception(error)
        else:
            self._answered_at = monotonic()
            answer.set_result(found)
