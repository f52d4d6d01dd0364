"""Chaos: thousands of jobs under faults, and an account of what became of each.

``python -m chaos`` starts a server, a producer and several workers, kills, freezes and cuts them,
and says which jobs were lost or ran twice without a reason. See docs/reliability.md.
"""
