"""How a tenant gets into each message that Celery publishes, and into what follows from it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from celery.app.amqp import AMQP

from flaskiq import current
from flaskiq.errors import TenantError
from flaskiq.tenant import Tenancy, Tenant

if TYPE_CHECKING:
    from celery import Celery

    _Base = AMQP
else:
    _Base = object

_BEAT_HEADER = "celery_beat_task"
"""Header of what a scheduler publishes (celery/beat.py)."""

_FOLLOWERS = ("chain", "callbacks", "errbacks", "chord")
"""Where a message has the signatures of what is published when its job has ended."""

_LINKS = ("link", "link_error", "chord")
"""Where a signature has them."""

_PARTS = {
    "celery.group": ("tasks",),
    "celery.chain": ("tasks",),
    "celery.chord": ("header", "body"),
}
"""The signatures that are made of others, which lie in their keyword arguments."""


class CarriesTenant(_Base):
    """Mixin for an AMQP class: a message names the tenant that is current where it is published.

    What a job is followed by (chain, callbacks, chord) is published by a worker later, maybe in the
    name of another job, and so has the tenant with it.
    """

    def _create_task_sender(self) -> Callable[..., Any]:
        send: Callable[..., Any] = super()._create_task_sender()  # type: ignore[misc]
        celery = self.app

        def send_task_message(
            producer: Any,
            name: str,
            message: Any,
            headers: Mapping[str, Any] | None = None,
            **options: Any,
        ) -> Any:
            state = current.state_of(celery)
            if state is not None:
                every = {**message.headers, **(headers or {})}
                carrier = Carrier(celery, state.tenancy, _publisher(state, every))
                headers = carrier.name(every, headers or {})
                carrier.check(name, {**every, **headers})
                message = message._replace(body=carrier.follow(message.body))
            return send(producer, name, message, headers=headers, **options)

        return send_task_message


def _publisher(state: current.State, headers: Mapping[str, Any]) -> Tenant:
    """On whose behalf something is published here and now."""
    tenant = current.tenant_of(state)
    return state.tenancy.system if not tenant and _BEAT_HEADER in headers else tenant


class Carrier:
    """Names a tenant in messages and signatures that name none themselves."""

    def __init__(self, celery: Celery, tenancy: Tenancy, tenant: Tenant) -> None:
        self._celery, self._tenancy, self._tenant = celery, tenancy, tenant

    def name(self, every: Mapping[str, Any], headers: Mapping[str, Any]) -> dict[str, Any]:
        """Return ``headers`` with the tenant, unless ``every`` one of the message has another."""
        tenant = {} if self._tenancy.is_named(every) else self._tenant.headers()
        return {**headers, **tenant}

    def check(self, task: str, headers: Mapping[str, Any]) -> None:
        """Refuse a job without a tenant whose Worker wants one.

        Raises:
            TenantError: it is such a job.
        """
        worker = getattr(self._celery.tasks.get(task), "worker", None)
        if worker is not None and worker.tenant_required and not headers.get(self._tenancy.key):
            raise TenantError.of(worker.__name__, self._tenancy.key)

    def follow(self, body: Any) -> Any:
        """Return a body whose followers name the tenant; what is given stays as it is."""
        if isinstance(body, Mapping):  # protocol 1, which Celery writes on request
            return body
        args, kwargs, embed = body
        carried = {name: self._each(embed[name]) for name in _FOLLOWERS if embed.get(name)}
        return (args, kwargs, {**embed, **carried}) if carried else body

    def _each(self, signatures: Any) -> Any:
        if isinstance(signatures, Mapping):
            return self._signature(signatures)
        if isinstance(signatures, (list, tuple)):
            return [self._each(each) for each in signatures]
        return signatures

    def _signature(self, given: Mapping[str, Any]) -> dict[str, Any]:
        signature = dict(given)
        task, options = str(signature.get("task")), dict(signature.get("options") or {})
        if task in _PARTS:
            kwargs = dict(signature["kwargs"])
            kwargs.update({part: self._each(kwargs[part]) for part in _PARTS[task]})
            signature["kwargs"] = kwargs
        else:
            headers = options.get("headers") or {}
            headers = self.name(headers, headers)
            self.check(task, headers)
            if headers:
                options["headers"] = headers
        options.update({name: self._each(options[name]) for name in _LINKS if options.get(name)})
        signature["options"] = options
        return signature
