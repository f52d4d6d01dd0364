"""A Celery app under test: in the context of a mode, its seams are those of the mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from celery import Celery
from celery.app.amqp import AMQP

from flaskiq import current

if TYPE_CHECKING:
    _Celery = Celery
    _AMQP = AMQP
else:
    _Celery = _AMQP = object


class Seams(Protocol):
    """What a mode gives an app."""

    def backend_of(self, celery: Celery) -> Any:
        """Where its results are; None for where it has them itself."""

    def producers_of(self, celery: Celery) -> Any:
        """The pool of what publishes."""

    def connections_of(self, celery: Celery) -> Any:
        """The pool of connections."""

    def connection_of(self, celery: Celery) -> Any:
        """A connection of its own."""

    def control_of(self, celery: Celery) -> Any:
        """Remote control."""


def seams() -> Seams | None:
    """The mode of this context."""
    return cast("Seams | None", current.elsewhere.get())


class UnderTest(_Celery):
    """Mixin over the class of an app. Without a mode it is as it was."""

    @property
    def backend(self) -> Any:
        """The result backend."""
        mode = seams()
        found = mode.backend_of(self) if mode else None
        return super().backend if found is None else found

    @property
    def pool(self) -> Any:
        """The pool of connections."""
        mode = seams()
        return mode.connections_of(self) if mode else super().pool

    def connection_for_write(self, url: Any = None, **options: Any) -> Any:
        """Return a connection to publish."""
        mode = seams()
        if mode and url is None:
            return mode.connection_of(self)
        return super().connection_for_write(url, **options)

    def connection_for_read(self, url: Any = None, **options: Any) -> Any:
        """Return a connection to consume."""
        mode = seams()
        if mode and url is None:
            return mode.connection_of(self)
        return super().connection_for_read(url, **options)

    @property
    def control(self) -> Any:
        """Remote control."""
        mode = seams()
        return mode.control_of(self) if mode else super().control


class PublishesUnderTest(_AMQP):
    """Mixin over the class of what an app publishes with."""

    @property
    def producer_pool(self) -> Any:
        """The pool of what publishes."""
        mode = seams()
        return mode.producers_of(self.app) if mode else super().producer_pool


def prepare(celery: Celery) -> None:
    """Let an app ask the mode of its context, once and for all."""
    if not isinstance(celery, UnderTest):
        _mix_in(UnderTest, celery)
        _mix_in(PublishesUnderTest, celery.amqp)


def _mix_in(mixin: type, thing: Any) -> None:
    own = type(thing)
    thing.__class__ = type(own.__name__, (mixin, own), {"__module__": own.__module__})


def keeps_results(celery: Celery) -> bool:
    """Whether an app has a result backend."""
    url = celery.conf.result_backend
    return bool(url) and not str(url).startswith("disabled")
