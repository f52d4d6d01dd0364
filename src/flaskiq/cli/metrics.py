"""``flaskiq metrics``: the figures of the whole app, for Prometheus."""

from __future__ import annotations

import signal
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import click

from flaskiq.cli.output import is_json, show
from flaskiq.cli.scope import enter

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry


@click.command()
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    help="Where it listens; METRICS_PORT without it, else 9540.",
)
@click.option("--address", help="On which address; METRICS_ADDRESS without it, else on all.")
@click.option("--once", is_flag=True, help="Print the text, and end; 1 if Redis does not answer.")
@click.pass_context
def metrics(context: click.Context, port: int | None, address: str | None, once: bool) -> None:
    """Answer Prometheus until Ctrl-C: /metrics, and /ping.

    Tells of all queues, Workers and processes of the app, from what is in Redis: one exporter is
    enough, and after a restart it goes on where it was. Without Redis, flaskiq_up is 0.

    \b
    flaskiq metrics
    flaskiq metrics --port 9541 --address 127.0.0.1
    flaskiq metrics --once
    """
    if is_json(context) and not once:
        raise click.UsageError("--json is one document: add --once.")
    if find_spec("prometheus_client") is None:
        raise click.ClickException(
            "prometheus-client is not installed: pip install 'flaskiq[metrics]'."
        )
    state = enter(context)
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

    from flaskiq.metrics.cluster import ClusterCollector
    from flaskiq.metrics.server import PORT

    registry, collector = CollectorRegistry(), ClusterCollector(state)
    registry.register(collector)
    if once:
        document = _document(registry) if is_json(context) else {}
        show(context, document, lambda: generate_latest(registry).decode().rstrip("\n"))
        context.exit(0 if collector.is_up else 1)
    ProcessCollector(registry=registry)
    _serve(
        address or state.settings["METRICS_ADDRESS"],
        port or state.settings["METRICS_PORT"] or PORT,
        registry,
    )


def _document(registry: CollectorRegistry) -> dict[str, Any]:
    samples = [sample for family in registry.collect() for sample in family.samples]
    return {
        "metrics": [
            {"name": each.name, "labels": each.labels, "value": float(each.value)}
            for each in samples
        ]
    }


def _serve(address: str, port: int, registry: CollectorRegistry) -> None:
    from flaskiq.metrics.server import MetricsServer

    # The first program of a container is not ended by a signal that it does not handle.
    signal.signal(signal.SIGTERM, _end)
    try:
        server = MetricsServer(address, port, registry)
    except OSError as error:
        raise click.ClickException(
            f"Nobody can listen on {address}, port {port}: {error}. "
            "Choose another: --port, --address."
        ) from None
    click.echo(f"Metrics at {server.url}")
    try:
        server.serve()
    finally:
        server.let_go()


def _end(*_: Any) -> None:
    raise SystemExit(0)
