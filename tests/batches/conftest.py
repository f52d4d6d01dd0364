"""Fixtures: the application of these tests, and its worker."""

from __future__ import annotations

from pathlib import Path

from own_app import fixtures

LIB = Path(__file__).parent / "lib"

own_server, own_app, store, jobs, folder, start = fixtures("batch_app", LIB)
