"""Stock workers: they tell nobody what they do, so those that there are must be asked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from flaskiq import current
from flaskiq.store.store import Store

ANSWER = 1.0
"""Seconds that they have to answer; a killed one is in the list still, and never does."""


class StockWorkers:
    """The workers of Celery's own on the broker, asked at most once for each thing."""

    def __init__(self) -> None:
        self._state = current.state()

    @cached_property
    def nodes(self) -> list[str]:
        """Their names: all that listen to remote control, but ours."""
        store: Store = self._state.store
        mailbox: Any = vars(self._state.celery.control)["mailbox"]
        ours = {facts.get("node") for facts in store.processes.facts().values()}
        return sorted(set(store.nodes(mailbox.namespace)) - ours)

    @cached_property
    def held(self) -> dict[str, str]:
        """What they have fetched: job id -> node, also what they have acknowledged already."""
        found: dict[str, str] = {}
        for what in ("active", "reserved", "scheduled") if self.nodes else ():
            for node, jobs in self._ask(what).items():
                for job in jobs:
                    found[str((job.get("request") or job).get("id"))] = node
        return found

    @cached_property
    def queues(self) -> set[str]:
        """What they consume."""
        found = self._ask("active_queues") if self.nodes else {}
        return {queue["name"] for queues in found.values() for queue in queues}

    def _ask(self, what: str) -> Mapping[str, Any]:
        inspect: Any = self._state.celery.control.inspect(
            destination=self.nodes, timeout=ANSWER, limit=len(self.nodes)
        )
        return getattr(inspect, what)() or {}
