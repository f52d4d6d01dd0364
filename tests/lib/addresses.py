"""Where the server of an application is, whatever other tests in this process say."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import pytest

ADDRESSES = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")


@pytest.fixture(scope="session", autouse=True)
def no_address_in_the_environment() -> Iterator[None]:
    """A Celery app goes by these variables, whatever it is told; here are several apps."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ADDRESSES:
            patch.delenv(name, raising=False)
        yield


def import_app(name: str, url: str, **env: str) -> ModuleType:
    """Import the module of an application whose queues and results are at ``url``.

    No test imports one at its top: it would have been found without an address, in every process.
    """
    assert name not in sys.modules, f"{name} was imported before, without its address"
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in {**dict.fromkeys(ADDRESSES, url), **env}.items():
            patch.setenv(variable, value)
        return import_module(name)
