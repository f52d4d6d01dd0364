# The reference application with all that runs it: web, worker, beat, Flower, metrics. The command
# says which; without one it is a worker. See docs/docker.md.
FROM python:3.13.12-slim-bookworm@sha256:a58daefb915e1e03ad48f3ca4df8832065412c5c35cacb9d39f4229184de12b6 AS build
WORKDIR /build
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY src src
RUN python -m venv /opt/flaskiq \
    && /opt/flaskiq/bin/pip install --no-cache-dir --constraint constraints.txt '.[metrics]' flower gunicorn

FROM python:3.13.12-slim-bookworm@sha256:a58daefb915e1e03ad48f3ca4df8832065412c5c35cacb9d39f4229184de12b6
# Debian keeps no old versions that could be named.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends curl tini \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 flaskiq \
    && useradd --uid 10001 --gid 10001 --no-create-home --shell /usr/sbin/nologin flaskiq
COPY --from=build /opt/flaskiq /opt/flaskiq
WORKDIR /app
COPY celery_app.py server.py ./
COPY workers workers
COPY templates templates
COPY static static
COPY examples examples
COPY docker docker
# All that is written, beside /tmp: uploads, and the record by which `flaskiq worker` finds a worker.
RUN mkdir instance .flaskiq && chown 10001:10001 instance .flaskiq
ENV PATH=/opt/flaskiq/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HEALTH_PORT=8080 \
    METRICS_PORT=9540
EXPOSE 8080 9540 5555
USER 10001:10001
HEALTHCHECK --interval=30s --timeout=10s --start-period=60s --retries=3 \
    CMD ["sh", "-c", "curl --fail --silent --show-error http://localhost:$HEALTH_PORT/health/basic"]
# tini hands TERM on to the worker, and buries what the worker leaves behind.
ENTRYPOINT ["tini", "--", "docker/entrypoint.sh"]
CMD ["flaskiq", "worker", "start"]
