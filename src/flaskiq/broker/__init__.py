"""What kombu and Celery load: the routes of Workers."""
