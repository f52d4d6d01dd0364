"""``rediss://``: verified, unless somebody says otherwise, and then with a warning."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from fleet import debian_redis
from overrides import OVERRIDES
from servers import Server

WARNING = "is not verified"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> trustme.CA:
    """An authority that no machine trusts by itself."""
    return trustme.CA()


@pytest.fixture(scope="module")
def ca(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its certificate."""
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    return file


@pytest.fixture(scope="module")
def start(
    authority: trustme.CA, ca: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """Start a server with a certificate for a name."""
    servers = []

    def start(name: str) -> Server:
        folder = tmp_path_factory.mktemp("tls")
        issued = authority.issue_cert(name)
        issued.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
        servers.append(
            Server(
                debian_redis(), folder, "--port", "0", "--tls-port", "{port}",
                "--tls-cert-file", str(folder / "server.pem"),
                "--tls-key-file", str(folder / "server.pem"),
                "--tls-ca-cert-file", str(ca), "--tls-auth-clients", "no",
                url="rediss://127.0.0.1:{port}/0", ca=ca,
            )
        )  # fmt: skip
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="module")
def secure(start: Any) -> Server:
    """A server with a certificate for its address."""
    return start("127.0.0.1")


def refused(project: Any, code: str) -> str:
    """Run code that must fail, and return why it did."""
    done = project.python_result(code)
    assert done.returncode != 0, done.stdout
    return str(done.stderr)


def test_a_certificate_that_can_be_verified(
    secure: Server, ca: Path, elsewhere: Any, round_trip: str
) -> None:
    project = elsewhere(f"{secure.url}?ssl_ca_certs={ca}")
    worker = project.worker("sample:celery_app", "--pool=threads", "--concurrency=1")
    done = project.python_result(round_trip)
    assert done.stdout.split() == ["3", "7", "6"], done.stderr
    assert WARNING not in done.stderr + worker.output


ENQUEUE = "import sample; sample.plain.apply_async(['x'], retry=False)"
RESULT = "import sample; print(sample.celery_app.backend.client.ping())"


@pytest.mark.parametrize("code", [ENQUEUE, RESULT], ids=["broker", "results"])
@pytest.mark.parametrize(
    "settings", [{}, {"broker_use_ssl": True, "redis_backend_use_ssl": True}], ids=["bare", "true"]
)
def test_an_authority_that_is_not_known_is_refused(
    secure: Server, elsewhere: Any, code: str, settings: dict[str, Any]
) -> None:
    project = elsewhere(secure.url, **{OVERRIDES: json.dumps(settings)})
    assert "CERTIFICATE_VERIFY_FAILED" in refused(project, code)


@pytest.mark.parametrize("code", [ENQUEUE, RESULT], ids=["broker", "results"])
def test_a_certificate_for_another_name_is_refused(
    start: Any, ca: Path, elsewhere: Any, code: str
) -> None:
    other = start("other.example.org")
    project = elsewhere(f"{other.url}?ssl_ca_certs={ca}")
    assert "CERTIFICATE_VERIFY_FAILED" in refused(project, code)


def test_a_worker_verifies(secure: Server, elsewhere: Any) -> None:
    worker = elsewhere(secure.url).start(
        "celery", "-A", "sample:celery_app", "worker", "-P", "solo"
    )
    worker.wait_for("CERTIFICATE_VERIFY_FAILED")
    assert "ready." not in worker.output


def test_none_is_obeyed_with_a_warning_at_each_start(
    secure: Server, elsewhere: Any, round_trip: str
) -> None:
    project = elsewhere(f"{secure.url}?ssl_cert_reqs=none")
    worker = project.worker("sample:celery_app", "--pool=threads", "--concurrency=1")
    done = project.python_result(round_trip)
    assert done.stdout.split() == ["3", "7", "6"], done.stderr
    for output in (worker.output, done.stderr):
        assert output.count(f"(CELERY_BROKER_URL) {WARNING}") == 2  # of each app of the sample
        assert output.count(f"(CELERY_RESULT_BACKEND) {WARNING}") == 2
