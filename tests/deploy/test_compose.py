"""docker-compose.yml, as Docker Compose itself reads it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flaskiq.settings.table import TABLE

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SECRETS = {"REDIS_PASSWORD": "staged-redis", "FLOWER_BASIC_AUTH": "ops:staged-flower"}
PROGRAMS = ("web", "worker", "beat", "flower")


def compose(**env: str) -> subprocess.CompletedProcess[str]:
    """Read the file with a real Docker Compose, which needs no Docker for that."""
    return subprocess.run(
        [
            Path(sys.executable).with_name("docker-compose"),
            *("--file", ROOT / "docker-compose.yml", "--env-file", "/dev/null"),
            *("config", "--format", "json"),
        ],
        env={"PATH": "/usr/bin:/bin", **env},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services, all variables replaced."""
    done = compose(**SECRETS)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout)["services"])


def test_it_has_all_programs(services: dict[str, Any]) -> None:
    assert services.keys() == {"redis", *PROGRAMS}


@pytest.mark.parametrize("missing", SECRETS)
def test_it_does_not_start_without_a_password(missing: str) -> None:
    done = compose(**{name: value for name, value in SECRETS.items() if name != missing})
    assert done.returncode != 0
    assert f"{missing} is missing a value: see docs/docker.md" in done.stderr


def test_no_password_stands_in_it() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for line in re.findall(r".*(?:PASSWORD|AUTH).*", text):
        assert re.search(r"\$\{(REDIS_PASSWORD|FLOWER_BASIC_AUTH):\?", line), line


def test_redis_cli_in_it_knows_the_password(services: dict[str, Any]) -> None:
    redis = services["redis"]
    assert redis["environment"]["REDISCLI_AUTH"] == SECRETS["REDIS_PASSWORD"]
    options = " ".join(redis["command"])
    assert options.startswith(f"redis-server --requirepass {SECRETS['REDIS_PASSWORD']} ")
    assert "--appendonly yes" in options
    assert "--maxmemory-policy noeviction" in options
    assert "ports" not in redis
    assert [volume["target"] for volume in redis["volumes"]] == ["/data"]
    assert re.search(r":\d+\.\d+\.\d+.*@sha256:", redis["image"])


def test_it_is_the_redis_of_kubernetes(services: dict[str, Any]) -> None:
    tag, _, digest = services["redis"]["image"].removeprefix("redis:").partition("@")
    text = (ROOT / "k8s/base/kustomization.yaml").read_text()
    assert f"newTag: {tag}\n    digest: {digest}" in text


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_has_no_more_rights_than_it_needs(services: dict[str, Any], program: str) -> None:
    service = services[program]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["depends_on"]["redis"]["condition"] == "service_healthy"
    for port in service.get("ports", []):
        assert port["host_ip"] == "127.0.0.1"


def test_a_worker_has_time_to_stop(services: dict[str, Any]) -> None:
    (timeout,) = (each.default for each in TABLE if each.name == "FLASKIQ_SHUTDOWN_TIMEOUT")
    assert services["worker"]["stop_grace_period"] == "1m0s"
    assert timeout + 15 <= 60


def test_uploads_reach_the_worker(services: dict[str, Any]) -> None:
    for program in ("web", "worker"):
        (volume,) = services[program]["volumes"]
        assert (volume["source"], volume["target"]) == ("instance", "/app/instance")
