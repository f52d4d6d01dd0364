"""Metrics for Prometheus: of the whole app from one exporter, and of each worker from itself."""
