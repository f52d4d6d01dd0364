"""What a route answers when Redis does not."""

from __future__ import annotations

import logging

from flask import jsonify
from flask.typing import ResponseReturnValue

logger = logging.getLogger(__name__)


def out_of_reach(error: Exception) -> ResponseReturnValue:
    """Answer 503, and log why."""
    logger.error("A request cannot be answered: %s", error)
    return jsonify(error="the job queue cannot be reached; try again"), 503
