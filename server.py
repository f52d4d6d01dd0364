"""The web side of the reference application: upload a CSV file, watch its job.

- ``GET /``: the page.
- ``GET /jobs/``: the dashboard, in development; see docs/dashboard.md for whom else to let in.
- ``GET /api/``: health, ``{"status": "ok"}``.
- ``POST /api/imports``: multipart field ``file``; answers 202 and ``{"job_id": ...}``.
- ``GET /api/jobs/<id>``: what has become of the job; 404 for an id that was never handed out.

Errors below ``/api/`` are ``{"error": "what is wrong and what to do"}``.
"""

from __future__ import annotations

import os
import uuid
from pathlib import Path
from typing import Any, cast

from flask import Response, jsonify, render_template, request, send_from_directory
from flask.json.provider import DefaultJSONProvider
from flask.typing import ResponseReturnValue
from kombu.exceptions import OperationalError
from redis import Redis, RedisError
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import BadRequest, HTTPException, NotFound

from celery_app import flask_app as app
from celery_app import flaskiq
from flaskiq import api
from flaskiq.api import State
from flaskiq.web.dashboard import dashboard
from workers.data_processing_worker import DataProcessingWorker

MEBIBYTE = 1024 * 1024

app.register_blueprint(dashboard, url_prefix="/jobs")
app.config["MAX_CONTENT_LENGTH"] = 32 * MEBIBYTE
cast("DefaultJSONProvider", app.json).sort_keys = False  # columns in the order of the file

# An id is known for as long as a result is kept. The result is written later, so that a known id
# without one always means a job that waits.
ID_TTL = int(flaskiq.celery.conf.result_expires)  # seconds

broker = Redis.from_url(
    app.extensions["flaskiq"].settings.broker_url, socket_timeout=2, socket_connect_timeout=2
)


@app.get("/")
def page() -> str:
    return render_template(
        "index.html",
        flower_url=os.environ.get("FLOWER_URL", "http://localhost:5555"),
        max_bytes=app.config["MAX_CONTENT_LENGTH"],
    )


@app.get("/sample.csv")
def sample() -> Response:
    return send_from_directory(app.root_path, "examples/data/weather.csv")


@app.get("/api/")
def health() -> ResponseReturnValue:
    return {"status": "ok"}


@app.post("/api/imports")
def create_import() -> ResponseReturnValue:
    file = uploaded_file()
    broker.ping()  # so that no file is kept for a job that cannot be enqueued
    job = DataProcessingWorker.perform_async(str(store(file)))
    broker.set(key_of(job.id), 1, ex=ID_TTL)
    return {"job_id": job.id}, 202


@app.get("/api/jobs/<job_id>")
def show_job(job_id: str) -> ResponseReturnValue:
    if not broker.exists(key_of(job_id)):
        raise NotFound(f"no job {job_id} is known here; ids are kept for {ID_TTL // 3600} hours")
    return {"id": job_id, **describe(job_id)}


@app.errorhandler(HTTPException)
def refuse(error: HTTPException) -> ResponseReturnValue:
    """Answer an API client in JSON, a browser as Flask does."""
    if not request.path.startswith("/api/"):
        return error
    return jsonify(error=explain(error)), error.code or 500


@app.errorhandler(OperationalError)
@app.errorhandler(RedisError)
def report_broker(error: Exception) -> ResponseReturnValue:
    app.logger.error("the broker failed: %s", error)
    message = "the job queue cannot be reached; start Redis or Valkey and try again"
    return jsonify(error=message), 503


def uploaded_file() -> FileStorage:
    """Return the file of the request.

    Raises:
        BadRequest: there is none, it is empty, or its name does not end in .csv.
    """
    file = request.files.get("file")
    if file is None or not file.filename:
        raise BadRequest("no file came; send a CSV file as multipart field 'file'")
    if not file.filename.lower().endswith(".csv"):
        raise BadRequest(f"{file.filename!r} is no .csv file; export the data as CSV")
    if not file.stream.read(1):
        raise BadRequest(f"{file.filename!r} is empty; send a file with a header and rows")
    file.stream.seek(0)
    return file


def store(file: FileStorage) -> Path:
    """Save the file where the worker finds it: web and worker share the instance folder."""
    folder = Path(app.instance_path, "uploads")
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{uuid.uuid4()}.csv"
    file.save(path)
    return path


def key_of(job_id: str) -> str:
    return f"imports:job:{job_id}"


def describe(job_id: str) -> dict[str, Any]:
    """Tell a job's state, progress, result and error."""
    status = api.status(job_id)
    if status is None:
        return {"state": State.UNKNOWN, "progress": None, "result": None, "error": None}
    return {
        "state": status.state,
        "progress": status.progress,
        "result": status.result,
        "error": None if status.error is None else describe_error(status.error),
    }


def describe_error(error: BaseException) -> dict[str, str]:
    return {"type": type(error).__name__, "message": str(error)}


def explain(error: HTTPException) -> str:
    if error.code == 413:
        limit = app.config["MAX_CONTENT_LENGTH"] // MEBIBYTE
        return f"the file is larger than {limit} MiB; split it"
    return error.description or error.name
