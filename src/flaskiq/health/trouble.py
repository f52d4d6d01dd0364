"""TroubleError: what is wrong, for everybody to read."""

from __future__ import annotations


class TroubleError(Exception):
    """Something is not as it should be; the text holds nothing secret."""
