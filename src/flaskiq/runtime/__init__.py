"""The running side: what happens to a job in a worker process."""
