"""``GET /batches/<id>``: how far a batch has come, for the tenant that has begun it."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from kombu.exceptions import OperationalError
from redis import RedisError

from flaskiq import current
from flaskiq.batch import Batch
from flaskiq.web.out_of_reach import out_of_reach

batches = Blueprint("flaskiq_batches", __name__)
"""One route. Of a batch of another tenant it says what it says of one that never was: 404."""


@batches.get("/batches/<batch_id>")
def show(batch_id: str) -> ResponseReturnValue:
    """Answer with the status and the dead jobs; 404 and 503 with ``error``."""
    batch = Batch.find(batch_id)
    found = batch.status() if batch else None
    is_same = current.state().tenancy.is_same
    if batch is None or found is None or not is_same(found.tenant, current.tenant()):
        return jsonify(id=batch_id, error="no batch of this id is known"), 404
    return jsonify(
        {**found.as_dict(), "dead_jobs": batch.dead_jobs() if found.state == "blocked" else []}
    )


batches.register_error_handler(OperationalError, out_of_reach)
batches.register_error_handler(RedisError, out_of_reach)
