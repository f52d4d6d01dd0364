"""After a fork, the child lets go of the connections that belong to its parent.

Celery does so in the children of its own pools only (billiard tells them). A web server that loads
the app and then forks would leave parent and child reading results from one socket.
"""

from __future__ import annotations

import os
from weakref import WeakSet

from celery import Celery

_apps: WeakSet[Celery] = WeakSet()


def install(celery: Celery) -> None:
    """Let go after each fork, as long as the app lives."""
    _apps.add(celery)


def _let_go() -> None:
    for celery in list(_apps):
        celery._after_fork()  # type: ignore[attr-defined] # noqa: SLF001 - what billiard calls
        backend = celery._backend  # type: ignore[attr-defined] # noqa: SLF001 - None if never used
        consumer = getattr(backend, "result_consumer", None)
        # Celery would make a client in order to reset it.
        is_unused = hasattr(type(backend), "client") and "client" not in vars(backend)
        if consumer is not None and not is_unused:
            consumer._after_fork()  # noqa: SLF001 - what billiard calls


os.register_at_fork(after_in_child=_let_go)
