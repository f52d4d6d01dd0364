"""Cron: what an expression says, and the schedule that ``celery beat`` runs it by."""
