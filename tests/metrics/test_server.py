"""What Prometheus is answered over HTTP."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from processes import Project
from prometheus_client import CollectorRegistry, Gauge, Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.registry import Collector
from scrape import OPENMETRICS
from servers import free_port

from flaskiq.metrics.server import MetricsServer


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@contextmanager
def answering(registry: CollectorRegistry, address: str = "127.0.0.1") -> Iterator[str]:
    server = MetricsServer(address, free_port(), registry)
    server.start()
    yield server.url.removesuffix("/metrics")
    server.close()


@pytest.fixture
def url(registry: CollectorRegistry) -> Iterator[str]:
    with answering(registry) as url:
        yield url


class Calls(Collector):
    """Calls something at each scrape."""

    def __init__(self, what: Callable[[], object]) -> None:
        self._what = what

    def collect(self) -> Iterator[Metric]:
        self._what()
        yield from ()


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/metrics?name=x", "/metrics/?x"])
def test_a_scrape_by_get_and_by_head(registry: CollectorRegistry, url: str, path: str) -> None:
    Gauge("height", "In metres.", registry=registry).set(2)
    got = requests.get(url + path, timeout=5)
    assert got.status_code == 200
    assert got.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "# HELP height In metres.\n# TYPE height gauge\nheight 2.0\n" in got.text
    head = requests.head(url + path, timeout=5)
    assert (head.status_code, head.text) == (200, "")
    assert head.headers["Content-Length"] == str(len(got.content))


def test_openmetrics_for_those_who_ask_for_it(registry: CollectorRegistry, url: str) -> None:
    Gauge("height", "In metres.", registry=registry).set(2)
    got = requests.get(f"{url}/metrics", headers={"Accept": OPENMETRICS}, timeout=5)
    assert got.headers["Content-Type"].startswith("application/openmetrics-text")
    assert [each.name for each in openmetrics(got.text)] == ["height"]


def test_ping_and_what_there_is_not(url: str) -> None:
    assert requests.get(f"{url}/ping/", timeout=5).text == "pong\n"
    assert requests.head(f"{url}/ping", timeout=5).status_code == 200
    assert requests.get(f"{url}/", timeout=5).status_code == 404
    assert requests.post(f"{url}/metrics", timeout=5).status_code == 501


def test_a_scrape_that_takes_long_holds_up_nobody(registry: CollectorRegistry, url: str) -> None:
    asked, go = threading.Event(), threading.Event()

    def wait() -> None:
        asked.set()
        go.wait(20)

    registry.register(Calls(wait))
    answers: list[int] = []
    slow = threading.Thread(
        target=lambda: answers.append(requests.get(f"{url}/metrics", timeout=30).status_code)
    )
    slow.start()
    assert asked.wait(10)
    assert requests.get(f"{url}/ping", timeout=5).text == "pong\n"
    assert answers == []
    go.set()
    slow.join()
    assert answers == [200]


def test_an_error_is_told_and_the_next_scrape_is_answered(
    registry: CollectorRegistry, url: str
) -> None:
    divisors = iter((1, 0))
    registry.register(Calls(lambda: 1 // next(divisors, 1)))
    assert requests.get(f"{url}/metrics", timeout=5).status_code == 200
    assert requests.get(f"{url}/metrics", timeout=5).status_code == 500
    assert requests.get(f"{url}/metrics", timeout=5).status_code == 200


def test_a_port_that_is_taken(registry: CollectorRegistry) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        MetricsServer("127.0.0.1", taken.getsockname()[1], registry)


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 here")
def test_an_address_of_ipv6(registry: CollectorRegistry) -> None:
    with answering(registry, "::") as url:
        assert requests.get(f"{url.replace('[::]', '[::1]')}/ping", timeout=5).text == "pong\n"


def test_a_forked_child_does_not_keep_the_port(tmp_path: Path) -> None:
    printed = Project(tmp_path, {}).python(f"""
import os, warnings
from prometheus_client import CollectorRegistry
from flaskiq.metrics.server import MetricsServer
warnings.simplefilter("ignore")
server = MetricsServer("127.0.0.1", {free_port()}, CollectorRegistry())
server.start()
pid = os.fork()
if not pid:
    os._exit(7 if server._server.socket.fileno() == -1 else 1)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), server._server.socket.fileno() > 0)
""")
    assert printed == "7 True"
