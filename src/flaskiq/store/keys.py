"""The name of every key in Redis."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Keys:
    """Key names below a ``global_keyprefix``, which is kombu's: empty unless configured."""

    prefix: str = ""

    def __getitem__(self, name: str) -> str:
        return f"{self.prefix}flaskiq:{name}"

    def ready(self, name: str) -> str:
        """A list of ready jobs: kombu's name of a queue or of one of its priority sub-lists."""
        return f"{self.prefix}{name}"

    @property
    def wake(self) -> str:
        """What comes before a queue's name in the list of its wake token."""
        return self["wake:"]

    @property
    def promoter(self) -> str:
        """List of the token that tells promoters of a job which is due before all others."""
        return self["wake:promoter"]

    def jobs(self, name: str) -> str:
        """Hash of a sorted set of jobs: job id -> queue, list and message."""
        return self[f"{name}:jobs"]

    def failures(self, name: str) -> str:
        """Hash of a sorted set of jobs that failed: job id -> the last failure."""
        return self[f"{name}:failures"]

    def inflight(self, process: str) -> str:
        """Hash of what a process has fetched: seq -> queue, list and message."""
        return self[f"inflight:{process}"]

    def heartbeat(self, process: str) -> str:
        """String that exists while a process lives."""
        return self[f"heartbeat:{process}"]

    @property
    def processes(self) -> str:
        """Set of the processes that may fetch."""
        return self["processes"]

    @property
    def lost_processes(self) -> str:
        """Sorted set of the processes that have ended or were declared dead, by when."""
        return self["processes:lost"]

    @property
    def paused(self) -> str:
        """Set of the queues that nobody fetches from."""
        return self["paused"]

    @property
    def cancelled(self) -> str:
        """Sorted set of the ids that must not run, by the time at which they are forgotten."""
        return self["cancelled"]

    @property
    def counters(self) -> str:
        """Hash of counts since the beginning."""
        return self["counters"]
