"""What watches the jobs of many applications: OpenTelemetry and Sentry, their output dropped."""

# mypy: disable-error-code="import-not-found, misc, no-untyped-call"
# The packages are optional, and where one is missing its classes have no type.

from __future__ import annotations

import os


def install() -> None:
    """Start what ``BENCH_INSTRUMENT`` names."""
    name = os.environ.get("BENCH_INSTRUMENT")
    if name:
        {"otel": _otel, "sentry": _sentry}[name]()


def _otel() -> None:
    from opentelemetry import trace
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.sdk.trace import TracerProvider, export

    class Nowhere(export.SpanExporter):
        def export(self, _spans: object) -> export.SpanExportResult:
            return export.SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(export.BatchSpanProcessor(Nowhere()))
    trace.set_tracer_provider(provider)
    CeleryInstrumentor().instrument()


def _sentry() -> None:
    import sentry_sdk
    from sentry_sdk.integrations.celery import CeleryIntegration
    from sentry_sdk.transport import Transport

    class Nowhere(Transport):
        def capture_envelope(self, envelope: object) -> None:
            pass

    sentry_sdk.init(
        dsn="https://key@sentry.invalid/1",
        transport=Nowhere,
        traces_sample_rate=1.0,
        integrations=[CeleryIntegration()],
    )
