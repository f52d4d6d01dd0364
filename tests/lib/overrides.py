"""How a test gives one worker of the sample application settings of its own."""

OVERRIDES = "SAMPLE_CELERY"
"""Environment variable with Celery settings in JSON."""
