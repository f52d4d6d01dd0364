"""The settings of one Flask app."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from flaskiq.settings import celery_config, sources, tls, unread
from flaskiq.settings.kinds import DISABLED
from flaskiq.settings.table import TABLE
from flaskiq.settings.urls import mask_url

if TYPE_CHECKING:
    from celery import Celery
    from flask import Flask


@dataclass(frozen=True, repr=False, eq=False)
class Settings:
    """What the table says for one app; ``settings["CELERY_BROKER_URL"]`` is any row's value.

    >>> from flask import Flask
    >>> settings = Settings.load(Flask("shop"), environ={"FLASKIQ_QUEUES": "mail,default"})
    >>> settings.queues, settings.sources["FLASKIQ_QUEUES"]
    (('mail', 'default'), 'environment')
    """

    values: Mapping[str, Any]
    sources: Mapping[str, str]
    """Name of a row -> ``environment``, ``.env``, ``Flask config``, ``Celery app``, ``default``."""
    adopted: Mapping[str, Any]
    """What an adopted Celery app has set by itself, by lower-case name."""

    @classmethod
    def load(
        cls,
        app: Flask,
        environ: Mapping[str, str] | None = None,
        *,
        celery: Celery | None = None,
    ) -> Settings:
        """Read the settings of ``app``; ``environ`` stands for ``os.environ``.

        Order for each key: environment, ``.env`` beside the app, the ``CELERY`` dict of Flask
        config, Flask config, what the adopted ``celery`` has set, default. An empty text means
        "not set".

        Raises:
            SettingError: a value cannot be read, a key acts on nothing, or two contradict.
        """
        adopted = celery_config.settings_of(celery) if celery else {}
        places = sources.gather(app, environ, adopted)
        sources.refuse_unknown(places)
        unread.warn(places)
        celery_config.warn_unread_keys(app.config)
        found = {row.name: chosen for row in TABLE if (chosen := sources.choose(row, places))}
        values = {row.name: found[row.name].parse(row) for row in TABLE if row.name in found}
        for row in TABLE:
            values.setdefault(row.name, row.fall_back(app, values))
        celery_config.refuse_unknown_keys(values["CELERY"])
        celery_config.check(values, set(found))
        tls.warn_unverified(values, {**adopted, **values["CELERY"]})
        origins = {
            row.name: found[row.name].source.name if row.name in found else sources.DEFAULT
            for row in TABLE
        }
        return cls(MappingProxyType(values), MappingProxyType(origins), MappingProxyType(adopted))

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def __repr__(self) -> str:
        return f"<Settings {self.env} {mask_url(self.broker_url)}>"

    @property
    def env(self) -> str:
        """``production`` or ``development``."""
        return str(self["FLASKIQ_ENV"])

    @property
    def broker_url(self) -> str:
        """The URL of the queues, password included: show it through :func:`mask_url`."""
        return str(self["CELERY_BROKER_URL"])

    @property
    def result_backend(self) -> str:
        """The URL of the results, or ``disabled://``."""
        return str(self["CELERY_RESULT_BACKEND"])

    @property
    def keeps_results(self) -> bool:
        """False when there is no result backend."""
        return self.result_backend != DISABLED

    @property
    def workers(self) -> tuple[str, ...]:
        """The packages that hold Workers."""
        return tuple(self["FLASKIQ_WORKERS"])

    @property
    def queues(self) -> tuple[str, ...]:
        """The names of the queues, the most urgent first."""
        return tuple(self["FLASKIQ_QUEUES"])

    def celery_config(self) -> dict[str, Any]:
        """Return the configuration for ``Celery.conf.update``, lower-case; a new dict each time."""
        return celery_config.build(self.values, self.adopted)
