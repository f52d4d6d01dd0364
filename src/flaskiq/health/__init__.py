"""Health: what a worker and a scheduler tell of themselves over HTTP (``HEALTH_PORT``)."""
