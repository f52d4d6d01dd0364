"""EnqueuedJob: a job as a test sees it, and which ones a test means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any, NamedTuple

from typing_extensions import TypedDict

from flaskiq import arguments, moments
from flaskiq.errors import ArgumentError, did_you_mean
from flaskiq.job import State
from flaskiq.message import Message, read
from flaskiq.moments import Delay

if TYPE_CHECKING:
    from flaskiq.testing.mode import Target

NEAR = timedelta(seconds=1)
"""How far two times may be apart that mean the same."""


class Asked(TypedDict, total=False):
    """What a test says of jobs; what it leaves out is not looked at."""

    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    queue: str
    at: datetime | Delay | None
    tenant: Mapping[str, Any] | None
    state: State


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


class Wanted:
    """Which jobs a test means: those that are as it says; of any Worker, if it names none."""

    def __init__(self, worker: Target | None, asked: Asked) -> None:
        """Take what is asked for.

        Raises:
            ArgumentError: no job has such a property.
        """
        for name in asked:
            if name not in Asked.__annotations__:
                meant = did_you_mean(name, Asked.__annotations__)
                raise ArgumentError(f"jobs are not looked for by {name!r}{meant}")
        self._worker, self._asked = worker, asked

    def is_of(self, job: EnqueuedJob) -> bool:
        """Whether a job is of the Worker."""
        return self._worker is None or job.worker in names_of(self._worker)

    def differences(self, job: EnqueuedJob) -> list[tuple[str, Any, Any]]:
        """What is different in a job of the Worker: name, as it was to be, as it is."""
        asked = self._asked
        found: list[tuple[str, Any, Any]] = []
        if "args" in asked and (args := _received(list(asked["args"]))) != list(job.args):
            found.append(("args", args, list(job.args)))
        if "kwargs" in asked and (kwargs := _received(dict(asked["kwargs"]))) != job.kwargs:
            found.append(("kwargs", kwargs, dict(job.kwargs)))
        if "queue" in asked and asked["queue"] != job.queue:
            found.append(("queue", asked["queue"], job.queue))
        if "at" in asked and not _is_near(start := _start(asked["at"], job), job.at):
            found.append(("at", start or "now", job.at or "now"))
        if "tenant" in asked and not _is_for(asked["tenant"], job.tenant):
            found.append(("tenant", asked["tenant"], job.tenant and dict(job.tenant)))
        if "state" in asked and asked["state"] != job.state:
            found.append(("state", str(asked["state"]), str(job.state)))
        return found

    def matches(self, job: EnqueuedJob) -> bool:
        """Whether a job is meant."""
        return self.is_of(job) and not self.differences(job)

    def __str__(self) -> str:
        said = [f"{name}={_shown(value)}" for name, value in self._asked.items()]
        return "  ".join(["a job" if self._worker is None else name_of(self._worker), *said])


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
