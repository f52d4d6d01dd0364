"""Fixtures: an application whose jobs end in every way, its workers, and what they tell."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest
from own_app import fixtures
from prometheus_client import CollectorRegistry

LIB = Path(__file__).parent / "lib"

own_server, own_app, store, jobs, folder, start = fixtures("metrics_app", LIB)

from scrape import Scrape, scrape  # noqa: E402 - found by the above

from flaskiq.extension import AppState  # noqa: E402
from flaskiq.metrics.cluster import ClusterCollector  # noqa: E402


@pytest.fixture
def state(jobs: ModuleType) -> AppState:
    """The application's Flaskiq."""
    found: AppState = jobs.app.extensions["flaskiq"]
    return found


@pytest.fixture
def registry(state: AppState) -> CollectorRegistry:
    """What the exporter has."""
    registry = CollectorRegistry()
    registry.register(ClusterCollector(state))
    return registry


@pytest.fixture
def cluster(registry: CollectorRegistry) -> Scrape:
    """What the exporter tells, read here."""
    return scrape(registry)
