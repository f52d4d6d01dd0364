"""Tenant: on whose behalf a job runs, and how that is found out where it is enqueued."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from flask import g, has_app_context, has_request_context

from flaskiq.errors import ArgumentError, did_you_mean

Provider = Callable[[], Any]
"""Returns the user of the request, None if there is none."""


class Tenant(Mapping[str, str]):
    """On whose behalf a job runs: its declared fields, by default organization and user.

    A mapping of the fields that have a value, all of them texts. As attributes the others are
    None: ``current_tenant.user_id``. False if there is none at all.
    """

    __slots__ = ("_values", "fields")

    def __init__(self, values: Mapping[str, str], fields: Sequence[str]) -> None:
        self._values, self.fields = values, fields

    def __getitem__(self, field: str) -> str:
        return self._values[field]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getattr__(self, field: str) -> str | None:
        if field in Tenant.__slots__ or field.startswith("_"):  # asked while it is being copied
            raise AttributeError(field)
        if field in self.fields:
            return self._values.get(field)
        raise AttributeError(
            f"a tenant has no {field!r}{did_you_mean(field, self.fields)} "
            f"(FLASKIQ_TENANT_FIELDS: {', '.join(self.fields)})"
        )

    def headers(self) -> dict[str, Any]:
        """Return the headers of a message that name it; none for nobody."""
        return dict(self._values)

    def __str__(self) -> str:
        return ", ".join(f"{field}={value}" for field, value in self._values.items())

    def __repr__(self) -> str:
        return f"<Tenant {self or 'none'}>"


class Tenancy:
    """What a tenant is in one app: the fields, and where they come from.

    The first field is the one that tells tenants apart. ``system`` is whom cron jobs run for, and
    ``provider`` gives the user of a request.
    """

    def __init__(
        self,
        fields: Sequence[str],
        *,
        provider: Provider | None = None,
        system: Mapping[str, Any] | None = None,
    ) -> None:
        self.fields, self._names = tuple(fields), frozenset(fields)
        self.key = self.fields[0]
        self.none = Tenant({}, self.fields)
        self.system = self.of(system or {})
        self._provider = provider

    def of(self, given: Mapping[str, Any]) -> Tenant:
        """Return the tenant that somebody has named.

        Raises:
            ArgumentError: a field is not declared, or its value is no id.
        """
        unknown = [field for field in given if field not in self.fields]
        if unknown:
            raise ArgumentError(
                f"tenant: {unknown[0]!r} is not declared{did_you_mean(unknown[0], self.fields)} "
                f"(FLASKIQ_TENANT_FIELDS: {', '.join(self.fields)})"
            )
        return self._tenant({field: given.get(field) for field in self.fields})

    def of_headers(self, headers: Mapping[str, Any] | None) -> Tenant:
        """Return the tenant in the headers of a message."""
        if not headers or self._names.isdisjoint(headers):
            return self.none
        values = {field: str(headers[field]) for field in self.fields if headers.get(field)}
        return Tenant(values, self.fields) if values else self.none

    def plain(self, headers: Mapping[str, Any]) -> dict[str, str] | None:
        """Return the same for JSON, None for nobody."""
        tenant = self.of_headers(headers)
        return tenant.headers() if tenant is not self.none else None

    def is_named(self, headers: Mapping[str, Any]) -> bool:
        """Whether headers say for whom a job is, be it nobody."""
        return not self._names.isdisjoint(headers)

    def is_same(self, one: Mapping[str, Any] | None, other: Mapping[str, Any] | None) -> bool:
        """Whether two belong together: the first field says so, also for nobody."""
        return (one or {}).get(self.key) == (other or {}).get(self.key)

    def over(self, tenant: Tenant, given: Mapping[str, Any]) -> Tenant:
        """Return ``tenant`` with some fields changed.

        If one of them is the first, nothing is left of it: a user belongs to an organization.

        Raises:
            ArgumentError: a field is not declared, or its value is no id.
        """
        return self.of(given if self.key in given else {**tenant.headers(), **given})

    def named(self, kwargs: Mapping[str, Any], parameters: Collection[str]) -> dict[str, Any]:
        """Return the keyword arguments that name a tenant: what is a parameter does not."""
        return {
            field: kwargs[field]
            for field in self.fields
            if field in kwargs and field not in parameters
        }

    def headers(self, tenant: Tenant) -> dict[str, Any]:
        """Return the headers that name a tenant, also where it is nobody."""
        return tenant.headers() or {self.key: None}

    def of_flask(self, *, asks_user: bool = True) -> Tenant:
        """Return whom ``g`` says and, in a request, the user.

        Raises:
            ArgumentError: a value is no id.
        """
        if not has_app_context():
            return self.none
        get = g.get
        values = {field: value for field in self.fields if (value := get(field)) is not None}
        if asks_user and self._provider is not None and has_request_context():
            values = {**self._of_user(self._provider()), **values}
        return self._tenant(values) if values else self.none

    def of_user(self, user: Any) -> Tenant:
        """Return whom a user of the app is working for: ``user.id`` and ``user.<field>``."""
        return self._tenant(self._of_user(user))

    def _of_user(self, user: Any) -> dict[str, Any]:
        names = {field: "id" if field == "user_id" else field for field in self.fields}
        return {field: getattr(user, name, None) for field, name in names.items()}

    def _tenant(self, values: Mapping[str, Any]) -> Tenant:
        found = {
            field: value if type(value) is str else _id(field, value)
            for field, value in values.items()
            if value is not None and value != ""
        }
        return Tenant(found, self.fields) if found else self.none


def _id(field: str, value: Any) -> str:
    if isinstance(value, (str, int)) and not isinstance(value, bool):
        return str(value)
    kind: Any = type(value)
    # An id of another kind, such as a UUID, says how it is written; a user or a list does not.
    if kind.__str__ is not object.__str__ and not isinstance(value, (bool, bytes)):
        return str(value)
    raise ArgumentError(
        f"tenant: {field} must be an id, such as a text, a whole number or a UUID, not {value!r} "
        "(FLASKIQ_TENANT_FIELDS says which names are read from flask.g)"
    )
