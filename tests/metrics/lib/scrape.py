"""What is told to Prometheus, read by its own parsers."""

from __future__ import annotations

from collections.abc import Callable

import requests
from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

OPENMETRICS = "application/openmetrics-text; version=1.0.0"

Scrape = Callable[[], "Told"]


class Told:
    """One answer."""

    def __init__(self, families: list[Metric]) -> None:
        self.families = {each.name: each for each in families}
        self.samples = [sample for each in families for sample in each.samples]

    def get(self, name: str, **labels: str) -> float | None:
        """The value of one series, None if it is not there."""
        found = [each for each in self.samples if (each.name, each.labels) == (name, labels)]
        assert len(found) < 2, found
        return found[0].value if found else None

    def total(self, name: str, **labels: str) -> float:
        """The sum over all series that have these labels."""
        wanted = labels.items()
        return sum(
            each.value
            for each in self.samples
            if each.name == name and wanted <= each.labels.items()
        )

    def counters(self) -> dict[tuple[str, ...], float]:
        """All that may never fall; but for what each program counts of itself."""
        return {
            (each.name, *map(str, each.labels.items())): each.value
            for each in self.samples
            if each.name.endswith(("_total", "_count", "_sum", "_bucket"))
            and not each.name.startswith(("flaskiq_redis_errors", "process_"))
        }


def scrape(registry: CollectorRegistry) -> Scrape:
    """Return what reads a registry of this process."""
    return lambda: Told(list(prometheus(generate_latest(registry).decode())))


def scrape_openmetrics(registry: CollectorRegistry) -> Scrape:
    """Return what reads it in the other format."""
    return lambda: Told(list(openmetrics(generate_openmetrics(registry).decode())))


def over_http(port: int) -> Scrape:
    """Return what reads a program that answers on a port; nothing while it does not."""

    def told() -> Told:
        try:
            answer = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=10)
        except requests.ConnectionError:
            return Told([])
        assert answer.status_code == 200, answer.text
        return Told(list(prometheus(answer.text)))

    return told
