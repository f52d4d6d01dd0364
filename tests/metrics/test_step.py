"""What a worker does about ``METRICS_PORT`` before it tells anything."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest
from celery import Celery
from flask import Flask

from flaskiq import Flaskiq
from flaskiq.errors import SettingError
from flaskiq.extension import AppState
from flaskiq.metrics import step


def celery_of(**config: Any) -> Celery:
    app = Flask("shop")
    app.config.update(config)
    return Flaskiq(app).celery


def test_without_a_port_a_worker_has_no_such_step() -> None:
    assert step.Metrics not in celery_of().steps["worker"]
    assert step.Metrics not in celery_of(METRICS_PORT=0).steps["worker"]
    assert step.Metrics in celery_of(METRICS_PORT=9540).steps["worker"]


def test_what_kubernetes_sets_for_a_service_called_metrics_is_no_port(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("METRICS_PORT", "tcp://10.96.7.1:9540")
    assert step.Metrics not in celery_of().steps["worker"]
    monkeypatch.setenv("METRICS_PORT", "metrics")
    with pytest.raises(SettingError, match="METRICS_PORT"):
        celery_of()


def test_without_the_client_the_worker_says_what_to_install(
    state: AppState, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(step, "find_spec", lambda _: None)
    worker = SimpleNamespace(app=state.celery)
    with caplog.at_level(logging.WARNING):
        step.Metrics(worker).start(worker)
    assert "pip install 'flaskiq[metrics]'" in caplog.text
