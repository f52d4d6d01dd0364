"""Where the server of an application is, whatever other tests in this process say."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from types import ModuleType

import pytest

ADDRESSES = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")


@pytest.fixture(scope="package", autouse=True)
def no_address_of_other_tests() -> Iterator[None]:
    """A Celery app goes by these variables, whatever it is told."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ADDRESSES:
            patch.delenv(name, raising=False)
        yield


def import_app(name: str, url: str, **env: str) -> ModuleType:
    """Import the module of an application whose queues and results are at ``url``."""
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in {**dict.fromkeys(ADDRESSES, url), **env}.items():
            patch.setenv(variable, value)
        return import_module(name)
