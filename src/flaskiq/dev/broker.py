"""The broker of ``flaskiq dev``: the configured one, or the embedded Valkey."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from flaskiq.dev.valkey import Valkey
from flaskiq.settings import mask_url

if TYPE_CHECKING:
    from flaskiq.extension import AppState

PATIENCE = 3  # seconds


@dataclass(frozen=True)
class Broker:
    """What there is to tell about a running broker, and what the processes must be told."""

    description: str
    environment: Mapping[str, str]
    data: Path | None = None


@contextmanager
def provide(state: AppState, folder: Path) -> Iterator[Broker]:
    """Check the broker that the app is configured with, or run one in ``folder`` meanwhile.

    Raises:
        click.ClickException: it cannot be reached, or does not start.
    """
    url = state.celery.conf.broker_url
    if is_configured(state):
        check(url, state.celery.conf.broker_use_ssl)
        yield Broker(mask_url(url), {})
        return
    with embed(state, Valkey(folder), folder) as running:
        yield running


@contextmanager
def embed(state: AppState, valkey: Valkey, data: Path) -> Iterator[Broker]:
    """Run an embedded Valkey meanwhile; ``data`` is what to say of where its data are.

    Raises:
        click.ClickException: it does not start.
    """
    with valkey:
        yield Broker(f"{valkey.url} (embedded Valkey)", _urls(state, valkey.url), data)


def is_configured(state: AppState) -> bool:
    """Tell whether somebody chose the broker; an adopted Celery app may have one of its own."""
    default = state.settings.broker_url
    return (
        state.settings.sources["CELERY_BROKER_URL"] != "default"
        or state.celery.conf.broker_url != default
    )


def _urls(state: AppState, url: str) -> dict[str, str]:
    urls = {"CELERY_BROKER_URL": url}
    if state.settings.sources["CELERY_RESULT_BACKEND"] == "default":
        urls["CELERY_RESULT_BACKEND"] = url
    return urls


def check(url: str, tls: Any = None) -> None:
    """Make sure that a Redis answers at ``url``. Other kinds of URL (Sentinel) are let through.

    Raises:
        click.ClickException: nothing answers, or not as it should; the password is not shown.
    """
    if not url.startswith(("redis://", "rediss://")) or ";" in url:
        return
    options = tls if url.startswith("rediss:") and isinstance(tls, dict) else {}
    client = Redis.from_url(
        url,
        socket_connect_timeout=PATIENCE,
        socket_timeout=PATIENCE,
        retry=Retry(NoBackoff(), 0),
        **options,
    )
    try:
        with client:
            client.ping()
    except RedisError as error:
        raise click.ClickException(
            f"The broker {mask_url(url)} cannot be used: {error}\n"
            "Start it or correct CELERY_BROKER_URL. Where no broker is configured, flaskiq dev "
            "starts one."
        ) from None
