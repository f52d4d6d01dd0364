"""Flaskiq beside stock Celery and Dramatiq, in one run: ``python -m benchmarks``."""
