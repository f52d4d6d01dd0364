"""The same three jobs in each system, and how its client enqueues them.

A module of jobs has ``enqueue(index)`` and ``bulk(indexes)`` for the job that does nothing,
``enqueue_io(index)`` for the one that waits 10 ms, ``enqueue_timed(index, sent)`` for the one that
records its latency, and ``fill(indexes)``: no-op jobs by the quickest way there is, unmeasured.
"""
