"""``GET /tasks/<id>``: how a job is doing, for the tenant that it belongs to."""

from __future__ import annotations

from flask import Blueprint, jsonify
from flask.typing import ResponseReturnValue
from kombu.exceptions import OperationalError
from redis import RedisError

from flaskiq import api
from flaskiq.web.out_of_reach import out_of_reach

tasks = Blueprint("flaskiq_tasks", __name__)
"""One route. Of a job of another tenant it says what it says of one that never was: 404."""


@tasks.get("/tasks/<job_id>")
def show(job_id: str) -> ResponseReturnValue:
    """Answer with :meth:`flaskiq.api.Status.as_dict`; 404 and 503 with ``error`` in it."""
    found = api.status(job_id)
    if found is not None:
        return jsonify(found.as_dict())
    unknown = {"task_id": job_id, "status": "PENDING", "result": None, "state": "unknown"}
    return jsonify({**unknown, "error": "no job of this id is known"}), 404


tasks.register_error_handler(OperationalError, out_of_reach)
tasks.register_error_handler(RedisError, out_of_reach)
