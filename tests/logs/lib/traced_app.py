"""An application that OpenTelemetry or Sentry watches; what they tell goes to lists in Redis."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from typing import Any

import redis
from flask import Flask, g

from flaskiq import Flaskiq, Worker, current_job, current_tenant

app = Flask("traced_app")
app.config["FLASKIQ_WORKERS"] = ["traced_app"]
flaskiq = Flaskiq(app)
celery_app = flaskiq.celery


def tell(key: str, document: dict[str, Any]) -> None:
    """Append to a list that the test reads."""
    with redis.Redis.from_url(celery_app.conf.broker_url) as client:
        client.rpush(key, json.dumps(document, default=str))


class Ship(Worker):
    """Does nothing."""

    @classmethod
    def perform(cls) -> None:
        pass


class Flaky(Worker):
    """Fails the first time."""

    retry_backoff = False
    retry_delay = 0

    @classmethod
    def perform(cls) -> None:
        if current_job.attempt == 1:
            raise LookupError("not yet")


class Broken(Worker):
    """Fails."""

    max_retries = 0

    @classmethod
    def perform(cls, card: str) -> None:
        raise LookupError("out of stock")


@celery_app.task
def for_whom() -> str | None:
    """Return on whose behalf it runs."""
    return current_tenant.organization_id


@app.get("/order")
def order() -> dict[str, str]:
    """Enqueue jobs, and return their ids."""
    g.organization_id = "acme"
    return {
        "plain": for_whom.apply_async(queue="default").id,
        "now": Ship.perform_async().id,
        "later": Ship.perform_in(1).id,
        "retried": Flaky.perform_async().id,
        "broken": Broken.perform_async("4111").id,
    }


def _otel() -> None:
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
    from opentelemetry.trace import set_tracer_provider

    class Exporter(InMemorySpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            for span in spans:
                tell(
                    "spans",
                    {
                        "name": span.name,
                        "kind": span.kind.name,
                        "trace": span.context.trace_id,
                        "id": span.context.span_id,
                        "parent": span.parent and span.parent.span_id,
                        "job": (span.attributes or {}).get("messaging.message.id"),
                    },
                )
            return super().export(spans)

    provider = TracerProvider()
    # Its thread has to be started anew in each process of a worker.
    provider.add_span_processor(BatchSpanProcessor(Exporter(), schedule_delay_millis=100))
    set_tracer_provider(provider)
    CeleryInstrumentor().instrument()
    FlaskInstrumentor().instrument_app(app)


def _sentry() -> None:
    import sentry_sdk
    from sentry_sdk.integrations.celery import CeleryIntegration
    from sentry_sdk.integrations.flask import FlaskIntegration
    from sentry_sdk.transport import Transport

    class Lists(Transport):
        def capture_envelope(self, envelope: Any) -> None:
            for item in envelope.items:
                if item.get_event() or item.get_transaction_event():
                    tell("sentry", item.payload.json)

    sentry_sdk.init(
        dsn="https://key@sentry.invalid/1",
        transport=Lists,
        traces_sample_rate=1.0,
        integrations=[CeleryIntegration(), FlaskIntegration()],
        default_integrations=False,
    )


watch = {"otel": _otel, "sentry": _sentry}.get(os.environ.get("WATCHED_BY", ""))
if watch:
    watch()
