"""EnqueuedJob: a job as a test sees it, and which ones a test means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flaskiq import arguments, moments
from flaskiq.job import State
from flaskiq.message import Message, read

if TYPE_CHECKING:
    from flaskiq.moments import Delay
    from flaskiq.testing.mode import Target

NEAR = timedelta(seconds=1)
"""How far two times may be apart that mean the same."""

_OPTIONS = ("args", "kwargs", "queue", "at", "tenant", "state")


class Unsaid(Enum):
    """What a test says nothing of."""

    UNSAID = "unsaid"


UNSAID: Final = Unsaid.UNSAID


@dataclass(frozen=True, kw_only=True)
class EnqueuedJob:
    """One job; ``at`` is when it is meant to start, None for at once; times are in UTC.

    ``args`` and ``kwargs`` are what ``perform`` is given: they have been through JSON.
    """

    id: str
    worker: str
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    queue: str
    at: datetime | None
    enqueued_at: datetime
    tenant: Mapping[str, str] | None
    state: State
    attempt: int = 1
    headers: Mapping[str, Any] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        shown = [*map(repr, self.args), *(f"{name}={each!r}" for name, each in self.kwargs.items())]
        parts = [f"{self.worker}({', '.join(shown)})", f"queue={self.queue!r}"]
        if self.at is not None:
            parts.append(f"at={self.at:%Y-%m-%d %H:%M:%S} UTC")
        if self.tenant:
            parts.append(f"tenant={dict(self.tenant)!r}")
        return f"{'  '.join(parts)}  [{self.state}]"


class Put(NamedTuple):
    """A message as it was enqueued; times in seconds since the epoch, ``at`` None for now."""

    queue: str
    message: bytes
    at: float | None
    put_at: float

    def read(self) -> Message:
        """Return its parts."""
        return read(self.message)

    @property
    def job_id(self) -> str:
        """The id of its job."""
        return str(self.read().headers["id"])


def job_of(
    message: Message, put: Put, *, tenant: Mapping[str, str] | None, state: State
) -> EnqueuedJob:
    """Return the job of a message."""
    headers = message.headers
    return EnqueuedJob(
        id=str(headers["id"]),
        worker=str(headers["task"]),
        args=message.args,
        kwargs=message.kwargs,
        queue=put.queue,
        at=None if put.at is None else datetime.fromtimestamp(put.at, timezone.utc),
        enqueued_at=datetime.fromtimestamp(put.put_at, timezone.utc),
        tenant=tenant,
        state=state,
        attempt=(headers.get("retries") or 0) + 1,
        headers=headers,
    )


def name_of(target: Target) -> str:
    """The task name of a Worker, a plain task, or a name."""
    if isinstance(target, str):
        return target
    task_name = getattr(target, "task_name", None)
    return str(task_name()) if task_name else str(target.name)


def names_of(target: Target) -> set[str]:
    """The task names that its jobs may have."""
    return {name_of(target), *getattr(target, "aliases", ())}


@dataclass(frozen=True)
class Wanted:
    """Which jobs a test means: those that are as it says; of any Worker, if it names none."""

    worker: Target | None
    args: Sequence[Any] | Unsaid = UNSAID
    kwargs: Mapping[str, Any] | Unsaid = UNSAID
    queue: str | Unsaid = UNSAID
    at: datetime | Delay | Unsaid | None = UNSAID
    tenant: Mapping[str, Any] | Unsaid | None = UNSAID
    state: State | Unsaid = UNSAID

    def is_of(self, job: EnqueuedJob) -> bool:
        """Whether a job is of the Worker."""
        return self.worker is None or job.worker in names_of(self.worker)

    def differences(self, job: EnqueuedJob) -> list[tuple[str, Any, Any]]:
        """What is different in a job of the Worker: name, as it was to be, as it is."""
        found: list[tuple[str, Any, Any]] = []
        if self.args is not UNSAID and (args := _received(list(self.args))) != list(job.args):
            found.append(("args", args, list(job.args)))
        if self.kwargs is not UNSAID and (kwargs := _received(dict(self.kwargs))) != job.kwargs:
            found.append(("kwargs", kwargs, dict(job.kwargs)))
        if self.queue is not UNSAID and self.queue != job.queue:
            found.append(("queue", self.queue, job.queue))
        if self.at is not UNSAID and not _is_near(start := _start(self.at, job), job.at):
            found.append(("at", start or "now", job.at or "now"))
        if self.tenant is not UNSAID and not _is_for(self.tenant, job.tenant):
            found.append(("tenant", self.tenant, job.tenant and dict(job.tenant)))
        if self.state is not UNSAID and self.state != job.state:
            found.append(("state", str(self.state), str(job.state)))
        return found

    def matches(self, job: EnqueuedJob) -> bool:
        """Whether a job is meant."""
        return self.is_of(job) and not self.differences(job)

    def __str__(self) -> str:
        options = [(name, getattr(self, name)) for name in _OPTIONS]
        said = [f"{name}={_shown(value)}" for name, value in options if value is not UNSAID]
        return "  ".join(["a job" if self.worker is None else name_of(self.worker), *said])


def _start(at: datetime | Delay | None, job: EnqueuedJob) -> datetime | None:
    if at is None or isinstance(at, datetime):
        return at and moments.instant(at, "at")
    return job.enqueued_at + moments.span(at, "at")


def _is_near(one: datetime | None, other: datetime | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= NEAR


def _is_for(wanted: Mapping[str, Any] | None, tenant: Mapping[str, str] | None) -> bool:
    if not wanted:
        return not tenant
    return all((tenant or {}).get(name) == str(value) for name, value in wanted.items())


def _shown(value: Any) -> str:
    return str(value) if isinstance(value, State) else repr(value)


def _received(value: Any) -> Any:
    """What ``perform`` would be given; what JSON cannot carry, such as ``mock.ANY``, as it is."""
    try:
        return arguments.round_trip([value], {})[0][0]
    except (TypeError, ValueError):
        return value
