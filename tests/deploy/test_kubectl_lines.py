"""The commands of two guides, with nothing but the name of the app changed, mean something here.

They are those of flask-react-template and Rhesis as they are written there; those of our own page
are looked at in the same way. No cluster runs them: what each names is looked up in the manifests,
by the rules of kubectl.
"""

from __future__ import annotations

import base64
import re
import shlex
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import yaml
from manifests import Manifests, Object, kubectl

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

OF_AN_ENVIRONMENT = r"""
kubectl scale deployment flask-react-template-preview-worker-deployment \
  --replicas=5 -n flask-react-template-preview
kubectl scale deployment flask-react-template-production-worker-deployment \
  --replicas=10 -n flask-react-template-production
kubectl top pods -n flask-react-template-production
kubectl logs -f deployment/flask-react-template-production-worker-deployment \
  -c celery-worker -n flask-react-template-production
kubectl exec -it deployment/flask-react-template-production-redis-deployment \
  -n flask-react-template-production -- redis-cli info memory
"""

OF_ANY = r"""
kubectl get pods -l app=flask-react-template-worker
kubectl logs -f deployment/flask-react-template-worker-deployment -c celery-worker
kubectl exec -it deployment/flask-react-template-redis-deployment -- redis-cli
kubectl scale deployment flask-react-template-worker-deployment --replicas=5
kubectl get pods -n <namespace>
kubectl exec -it <pod> -- curl localhost:8080/debug
"""


def lines(text: str) -> list[str]:
    """Return the commands of a block."""
    return text.strip().replace("\\\n", "").splitlines()


PAGE = (ROOT / "docs/kubernetes.md").read_text()
OURS = re.findall(r"^(?:\| `)?(kubectl (?:[^\n`\\]|\\\n)+)", PAGE, re.MULTILINE)


@pytest.mark.parametrize("line", lines(OF_AN_ENVIRONMENT))
def test_a_command_about_an_environment(render: Callable[..., Manifests], line: str) -> None:
    overlay = "preview" if "-preview" in line else "production"
    resolve(line.replace("flask-react-template", "flaskiq"), render(overlay), f"flaskiq-{overlay}")


@pytest.mark.parametrize("line", lines(OF_ANY))
def test_a_command_about_any_installation(
    render: Callable[..., Manifests], overlay: str, line: str
) -> None:
    name = f"flaskiq-{overlay}"
    resolve(line.replace("flask-react-template", name), render(overlay), name)


@pytest.mark.parametrize("line", lines(OF_ANY))
def test_a_command_about_the_base(line: str) -> None:
    resolve(line.replace("flask-react-template", "flaskiq"), base(), "flaskiq")


@pytest.mark.parametrize("line", [one for each in OURS for one in lines(each)])
def test_a_command_of_our_page(render: Callable[..., Manifests], line: str) -> None:
    if not line.startswith("kubectl create"):  # what it creates is not there before
        resolve(line, render("production"), "flaskiq-production")


def test_the_secret_of_our_page_has_all_that_is_referred_to(
    render: Callable[..., Manifests],
) -> None:
    (create,) = (each for each in OURS if each.startswith("kubectl create secret"))
    done = subprocess.run(
        ["sh", "-c", f"password=staged; {create} --dry-run=client --output yaml"],
        env={"PATH": f"{Path(kubectl()).parent}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    secret = yaml.safe_load(done.stdout)
    manifests = render("production")
    references = [
        variable["valueFrom"]["secretKeyRef"]
        for _, container in manifests.containers()
        for variable in container["env"]
        if "valueFrom" in variable
    ]
    assert {each["name"] for each in references} == {secret["metadata"]["name"]}
    assert {each["key"] for each in references} == secret["data"].keys()
    assert secret["metadata"]["namespace"] == manifests.all("Namespace")[0]["metadata"]["name"]
    url = base64.b64decode(secret["data"]["broker-url"]).decode()
    host = url.rpartition("@")[2].partition(":")[0]
    assert manifests.one("Service", host)


@cache
def base() -> Manifests:
    """Return what stands in the base, without an overlay."""
    return Manifests(ROOT / "k8s/base")


def resolve(line: str, manifests: Manifests, name: str) -> None:
    """Find what a command names; fail if there is no such thing.

    ``<namespace>`` and ``<pod>`` are what their reader puts there: the namespace of the
    installation, and a pod of a worker.
    """
    line = line.replace("<namespace>", name).replace(
        "<pod>", f"deployment/{name}-worker-deployment"
    )
    words, _, inside = (part.strip() for part in line.partition(" -- "))
    program, verb, *rest = shlex.split(words)
    options, named = read(rest)
    assert program == "kubectl"
    assert options.get("n", name) == manifests.all("Namespace")[0]["metadata"]["name"]
    if verb == "apply":
        assert (ROOT / options["k"] / "kustomization.yaml").exists()
        return
    if verb in ("get", "top"):
        labels = dict(each.split("=") for each in options["l"].split(",")) if "l" in options else {}
        assert named[0] in ("pods", "events")
        assert manifests.selected(labels)
        return
    if verb == "rollout":
        assert named.pop(0) in ("restart", "status", "undo")
    found = manifests.one(*target(named))
    if verb == "scale":
        assert int(options["replicas"]) > 0
    if verb == "patch":
        assert yaml.safe_load(options["patch"])["spec"].keys() <= found["spec"].keys()
    if verb == "port-forward":
        assert int(named[-1]) in [port["port"] for port in found["spec"]["ports"]]
    if verb not in ("exec", "logs"):
        assert verb in ("scale", "patch", "port-forward", "rollout", "describe")
        return
    container = container_of(found, options.get("c"))
    if verb == "logs":
        return
    assert verb == "exec"
    tool = inside.split()[0]
    if tool == "redis-cli":
        # It takes its password from here.
        assert container["image"].startswith("redis:")
        assert "REDISCLI_AUTH" in [variable["name"] for variable in container["env"]]
    elif tool == "curl":
        assert "curl" in (ROOT / "Dockerfile").read_text()
        assert {"name": "health", "containerPort": 8080}.items() <= container["ports"][0].items()
    else:
        assert tool == "flaskiq"
        assert container["name"] == "celery-worker"


def read(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """Return options and names of a command of kubectl."""
    options: dict[str, str] = {}
    named: list[str] = []
    rest = iter(words)
    for word in rest:
        if word in ("-n", "-l", "-c", "-k", "--patch"):
            options[word.lstrip("-")] = next(rest)
        elif word.startswith("--"):
            key, _, value = word[2:].partition("=")
            options[key] = value
        elif not word.startswith("-"):  # -f and -it take nothing
            named.append(word)
    return options, named


KINDS = {"deployment": "Deployment", "service": "Service", "hpa": "HorizontalPodAutoscaler"}


def target(named: list[str]) -> tuple[str, str]:
    """Return kind and name: ``deployment NAME`` and ``deployment/NAME`` are the same."""
    kind, name = named[0].split("/") if "/" in named[0] else named[:2]
    return KINDS[kind], name


def container_of(deployment: Object, name: str | None) -> Object:
    """Return the container of a name, or the only one."""
    containers = deployment["spec"]["template"]["spec"]["containers"]
    found = [each for each in containers if name in (None, each["name"])]
    assert len(found) == 1, f"no container {name}"
    return dict(found[0])
