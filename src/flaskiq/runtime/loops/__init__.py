"""What a worker does beside its jobs, each in a thread of its own."""
