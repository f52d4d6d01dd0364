"""The manifests in ``k8s/``: they are valid, safe, and fit what the programs do."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from kubernetes_validate import utils
from manifests import Manifests, Object
from servers import Server, required

from flaskiq.metrics import metric
from flaskiq.settings.table import NAMES

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
VERSIONS = ("1.30", "1.37")
"""The oldest Kubernetes whose schemas the manifests are held against, and the newest."""

PROBES = ("startupProbe", "livenessProbe", "readinessProbe")

SCALED_OBJECT: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "required": ["scaleTargetRef", "triggers"],
    "properties": {
        "scaleTargetRef": {"type": "object", "required": ["name"]},
        "minReplicaCount": {"type": "integer", "minimum": 1},
        "maxReplicaCount": {"type": "integer", "minimum": 1},
        "pollingInterval": {"type": "integer", "minimum": 1},
        "cooldownPeriod": {"type": "integer", "minimum": 0},
        "advanced": {
            "type": "object",
            "additionalProperties": False,
            "properties": {"horizontalPodAutoscalerConfig": {"type": "object"}},
        },
        "triggers": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "required": ["type", "metadata"],
                "properties": {
                    "type": {"const": "metrics-api"},
                    "name": {"type": "string"},
                    "metricType": {"enum": ["Value", "AverageValue"]},
                    "metadata": {
                        "type": "object",
                        "additionalProperties": False,
                        "required": ["url", "format", "valueLocation", "targetValue"],
                        "properties": {
                            "url": {"type": "string"},
                            "format": {"const": "prometheus"},
                            "valueLocation": {"type": "string"},
                            "targetValue": {"type": "string", "pattern": r"^\d+$"},
                        },
                    },
                },
            },
        },
    },
}
"""KEDA is in no package of schemas: what it takes of what we use, as its documentation says it."""


@pytest.fixture(autouse=True, scope="module")
def schemas_that_are_read_once() -> Iterator[None]:
    """kubernetes-validate reads a megabyte anew for each object."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(utils, "schema_contents", cache(utils.schema_contents))
        yield


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_what_kubernetes_takes(manifests: Manifests, version: str) -> None:
    for each in manifests.objects:
        if each["kind"] != "ScaledObject":
            kubernetes_validate.validate(each, version, strict=True)


def test_a_field_that_does_not_exist_would_be_found(manifests: Manifests) -> None:
    broken = {**manifests.all("Deployment")[0]}
    broken["spec"] = {**broken["spec"], "replica": 3}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(broken, VERSIONS[0], strict=True)


def test_the_overlays_differ_as_the_table_says(render: Callable[..., Manifests]) -> None:
    shown = {}
    for overlay in ("preview", "production"):
        deployment = render(overlay).one("Deployment", f"flaskiq-{overlay}-worker-deployment")
        (worker,) = deployment["spec"]["template"]["spec"]["containers"]
        assert worker["args"] == ["flaskiq", "worker", "start", "--concurrency", "8"]
        requests = worker["resources"]["requests"]
        shown[overlay] = (deployment["spec"]["replicas"], requests["cpu"], requests["memory"])
    assert shown == {"preview": (1, "200m", "512Mi"), "production": (3, "500m", "1Gi")}


def test_everything_has_the_name_and_the_namespace_of_its_overlay(
    manifests: Manifests, overlay: str
) -> None:
    name = f"flaskiq-{overlay}"
    for each in manifests.objects:
        metadata = each["metadata"]
        if each["kind"] == "Namespace":
            assert metadata["name"] == name
            continue
        assert metadata["namespace"] == name
        if each["kind"] == "Deployment":
            assert metadata["name"].startswith(f"{name}-")
            assert metadata["name"].endswith("-deployment")
    programs = ("beat", "flower", "metrics", "redis", "web", "worker")
    # The label, the program, the image, its folder, and metrics have the name of the project.
    rest = re.sub(
        r"part-of: flaskiq|- flaskiq\n|/flaskiq:|/app/\.flaskiq|flaskiq_\w+", "", manifests.text
    )
    assert re.findall(rf"flaskiq-(?!{overlay}).*|flaskiq(?!-).*", rest) == []
    assert {pod.removeprefix(f"{name}-") for pod, _ in manifests.pods()} == {
        f"{program}-deployment" for program in programs
    }


def test_what_selects_pods_finds_some(manifests: Manifests) -> None:
    for each in manifests.objects:
        for labels in selectors(each):
            assert manifests.selected(labels), f"{each['kind']} {each['metadata']['name']}"


def selectors(each: Object) -> list[dict[str, str]]:
    """Return the labels by which an object selects pods of its namespace."""
    spec = each.get("spec", {})
    if each["kind"] == "Service":
        return [spec["selector"]]
    if each["kind"] in ("Deployment", "PodDisruptionBudget"):
        return [spec["selector"]["matchLabels"]]
    if each["kind"] == "NetworkPolicy":
        rules = [*spec.get("ingress", []), *spec.get("egress", [])]
        peers = [peer for rule in rules for peer in (*rule.get("from", []), *rule.get("to", []))]
        found = [spec["podSelector"], *(p["podSelector"] for p in peers if "podSelector" in p)]
        return [one.get("matchLabels", {}) for one in found]
    return []


def test_a_service_leads_to_a_port_that_its_pods_have(manifests: Manifests) -> None:
    for service in manifests.all("Service"):
        (deployment,) = manifests.selected(service["spec"]["selector"])
        (container,) = deployment["spec"]["template"]["spec"]["containers"]
        names = {port["name"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names


def test_no_pod_has_more_rights_than_it_needs(manifests: Manifests) -> None:
    for name, pod in manifests.pods():
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] > 0, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert pod["automountServiceAccountToken"] is False, name
        assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}, name
    for name, container in manifests.containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }, name


def test_every_container_has_requests_limits_and_probes(manifests: Manifests) -> None:
    for name, container in manifests.containers():
        for bound in ("requests", "limits"):
            assert container["resources"][bound].keys() == {"cpu", "memory"}, name
        assert container.keys() >= set(PROBES), name
        ports = {port["name"] for port in container["ports"]}
        for probe in (container[each] for each in PROBES):
            if not name.endswith("-redis-deployment"):
                assert probe["httpGet"]["port"] in ports, name


@pytest.mark.parametrize("program", ["worker", "beat"])
def test_worker_and_beat_are_asked_by_their_health_server(
    manifests: Manifests, overlay: str, program: str
) -> None:
    deployment = manifests.one("Deployment", f"flaskiq-{overlay}-{program}-deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    paths = {each: container[each]["httpGet"]["path"] for each in PROBES}
    assert paths == {
        "startupProbe": "/health/live",
        "livenessProbe": "/health/live",
        "readinessProbe": "/health/ready",
    }
    config = settings(manifests)
    ports = {port["name"]: str(port["containerPort"]) for port in container["ports"]}
    assert ports == {"health": config["HEALTH_PORT"], "metrics": config["METRICS_PORT"]}


def settings(manifests: Manifests) -> dict[str, str]:
    """Return the settings that all programs have."""
    (config,) = manifests.all("ConfigMap")
    return dict(config["data"])


def test_the_settings_exist(manifests: Manifests) -> None:
    of_the_application = {"HEALTH_CHECK_URL"}
    assert settings(manifests).keys() <= NAMES | of_the_application


def test_a_job_finds_the_web_server(manifests: Manifests, overlay: str) -> None:
    url = settings(manifests)["HEALTH_CHECK_URL"]
    assert url == f"http://flaskiq-{overlay}-web/api/"
    service = manifests.one("Service", f"flaskiq-{overlay}-web")
    assert [port["port"] for port in service["spec"]["ports"]] == [80]


def test_a_pod_has_time_to_stop(manifests: Manifests) -> None:
    timeout = int(settings(manifests)["FLASKIQ_SHUTDOWN_TIMEOUT"])
    for name, pod in manifests.pods():
        assert pod["terminationGracePeriodSeconds"] >= timeout + 15, name


def test_no_secret_stands_in_a_file(manifests: Manifests) -> None:
    assert manifests.all("Secret") == []
    for name, container in manifests.containers():
        for variable in container.get("env", []):
            if re.search(r"URL|AUTH|PASSWORD|TOKEN|SECRET", variable["name"]):
                assert variable["valueFrom"]["secretKeyRef"]["name"] == "app-secrets", name
    for value in settings(manifests).values():
        assert "@" not in value


def test_every_image_is_pinned(manifests: Manifests) -> None:
    for name, container in manifests.containers():
        assert re.search(r":\d+\.\d+\.\d+[\w.-]*(@sha256:[0-9a-f]{64})?$", container["image"]), name


def test_what_is_drained_is_drained_one_by_one(manifests: Manifests) -> None:
    budgets = manifests.all("PodDisruptionBudget")
    assert {each["metadata"]["name"] for each in budgets} == {"web", "worker", "beat"}
    for budget in budgets:
        assert budget["spec"]["maxUnavailable"] == 1
        assert "minAvailable" not in budget["spec"]


def test_nothing_is_let_in_or_out_that_no_policy_names(manifests: Manifests) -> None:
    default = manifests.one("NetworkPolicy", "default")["spec"]
    assert default["podSelector"] == {}
    assert set(default["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in default
    assert default["egress"] == [
        {"ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}]}
    ]
    into_flower = [
        each
        for each in manifests.all("NetworkPolicy")
        for rule in each["spec"].get("ingress", [])
        if any(port["port"] == 5555 for port in rule["ports"])
    ]
    assert into_flower == []


# Autoscaling


def test_by_default_workers_follow_the_cpu(render: Callable[..., Manifests], overlay: str) -> None:
    manifests = render(overlay)
    name = f"flaskiq-{overlay}-worker"
    assert manifests.all("ScaledObject") == []
    (scaler,) = manifests.all("HorizontalPodAutoscaler")
    assert scaler["metadata"]["name"] == f"{name}-hpa"
    assert scaler["spec"]["scaleTargetRef"]["name"] == f"{name}-deployment"
    replicas = manifests.one("Deployment", f"{name}-deployment")["spec"]["replicas"]
    assert scaler["spec"]["minReplicas"] == replicas < scaler["spec"]["maxReplicas"]


def test_keda_takes_the_place_of_the_hpa(render: Callable[..., Manifests], overlay: str) -> None:
    manifests = render(overlay, "keda")
    name = f"flaskiq-{overlay}-worker"
    assert manifests.all("HorizontalPodAutoscaler") == []
    (scaler,) = manifests.all("ScaledObject")
    jsonschema.validate(scaler["spec"], SCALED_OBJECT)
    assert scaler["metadata"]["name"] == f"{name}-keda"
    assert scaler["spec"]["scaleTargetRef"]["name"] == f"{name}-deployment"
    replicas = manifests.one("Deployment", f"{name}-deployment")["spec"]["replicas"]
    assert scaler["spec"]["minReplicaCount"] == replicas < scaler["spec"]["maxReplicaCount"]
    for trigger in scaler["spec"]["triggers"]:
        url = f"http://queue-metrics.flaskiq-{overlay}.svc:9540/metrics"
        assert trigger["metadata"]["url"] == url
    service = manifests.one("Service", "queue-metrics")
    assert [port["port"] for port in service["spec"]["ports"]] == [9540]
    (exporter,) = manifests.selected(service["spec"]["selector"])
    assert exporter["metadata"]["name"] == f"flaskiq-{overlay}-metrics-deployment"


def test_keda_asks_for_metrics_that_exist(render: Callable[..., Manifests], overlay: str) -> None:
    metrics = [each for each in vars(metric).values() if isinstance(each, metric.Metric)]
    labels = {each.name: each.labels for each in metrics}
    (scaler,) = render(overlay, "keda").all("ScaledObject")
    for trigger in scaler["spec"]["triggers"]:
        asked = re.fullmatch(r'(\w+)\{queue="(\w+)"\}', trigger["metadata"]["valueLocation"])
        assert asked
        assert labels[asked[1]] == ("queue",)
        assert trigger["name"].startswith(f"{asked[2]}-")


def test_uploads_are_on_a_volume_that_web_and_workers_share(
    render: Callable[..., Manifests], overlay: str
) -> None:
    manifests = render(overlay, "keda", "uploads")
    volume = manifests.one("PersistentVolumeClaim", "uploads")
    assert volume["spec"]["accessModes"] == ["ReadWriteMany"]
    shared = [
        name
        for name, pod in manifests.pods()
        for each in pod["volumes"]
        if each == {"name": "instance", "persistentVolumeClaim": {"claimName": "uploads"}}
    ]
    assert shared == [f"flaskiq-{overlay}-{each}-deployment" for each in ("web", "worker")]


# Redis


def test_there_is_one_redis_with_a_volume(manifests: Manifests, overlay: str) -> None:
    deployment = manifests.one("Deployment", f"flaskiq-{overlay}-redis-deployment")["spec"]
    assert deployment["replicas"] == 1
    assert deployment["strategy"] == {"type": "Recreate"}
    (volume,) = deployment["template"]["spec"]["volumes"]
    claim = volume["persistentVolumeClaim"]["claimName"]
    assert manifests.one("PersistentVolumeClaim", claim)["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert manifests.one("Service", f"flaskiq-{overlay}-redis")["spec"]["ports"][0]["port"] == 6379


def test_its_command_line_does_what_it_should(
    render: Callable[..., Manifests], overlay: str, tmp_path: Path
) -> None:
    deployment = render(overlay).one("Deployment", f"flaskiq-{overlay}-redis-deployment")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    env = {each["name"]: each.get("value", "staged") for each in container["env"]}
    program, *options = (
        re.sub(r"\$\((\w+)\)", lambda name: env[name[1]], word) for word in container["args"]
    )
    assert program == "redis-server"
    server = Server(required(), tmp_path, *options, url="redis://:staged@127.0.0.1:{port}/0")
    try:
        with server.client() as client:
            config = client.config_get("*")
            assert config["appendonly"] == "yes"
            assert config["appendfsync"] == "everysec"
            assert config["maxmemory-policy"] == "noeviction"
            limit = container["resources"]["limits"]["memory"]
            assert 0 < int(config["maxmemory"]) <= in_bytes(limit) / 2
        for probe in (container[each]["exec"]["command"] for each in PROBES):
            assert asked(probe, server.port, REDISCLI_AUTH="staged") == 0
        assert asked(container["readinessProbe"]["exec"]["command"], server.port) != 0
    finally:
        server.stop()


def in_bytes(quantity: str) -> int:
    """Return how many bytes a quantity of Kubernetes means."""
    return int(quantity[:-2]) * {"Mi": 2**20, "Gi": 2**30}[quantity[-2:]]


def asked(probe: list[str], port: int, **env: str) -> int:
    """Run a probe of Redis against another port, and return its exit code."""
    client = shutil.which("redis-cli")
    if client is None:
        pytest.skip("no redis-cli")
    words = [word.replace("redis-cli", f"{client} -p {port}") for word in probe]
    argv = words if words[0] == "sh" else words[0].split() + words[1:]
    return subprocess.run(argv, env={"PATH": "/usr/bin:/bin", **env}, check=False).returncode


def test_the_base_is_an_installation_by_itself() -> None:
    manifests = Manifests(ROOT / "k8s/base")
    manifests.one("Deployment", "flaskiq-worker-deployment")
    for each in manifests.objects:
        kubernetes_validate.validate(each, VERSIONS[0], strict=True)


def test_every_file_is_part_of_something() -> None:
    listed = {
        (file.parent / word).resolve()
        for file in (ROOT / "k8s").rglob("kustomization.yaml")
        for word in re.findall(
            r"[\w./]+\.(?:yaml|env)", yaml.safe_dump(yaml.safe_load(file.read_text()))
        )
    }
    files = {file for file in (ROOT / "k8s").rglob("*.*") if file.is_file()}
    assert {file for file in files if file.name != "kustomization.yaml"} == listed
