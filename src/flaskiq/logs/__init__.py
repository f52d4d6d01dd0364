"""What is logged: one line for each outcome of a job, as text or as JSON (``docs/logs.md``)."""
