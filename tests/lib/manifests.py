"""What ``kubectl kustomize`` makes of a folder in ``k8s/``, object by object."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

Object = dict[str, Any]


def kubectl() -> str:
    """Return the program; without it the test is skipped, and fails in CI."""
    program = shutil.which("kubectl")
    if program is None and os.environ.get("CI"):
        pytest.fail("no kubectl: install one with kustomize 4.5 or newer in it")
    if program is None:
        pytest.skip("no kubectl")
    return program


class Manifests:
    """The objects of one rendered folder."""

    def __init__(self, folder: Path) -> None:
        done = subprocess.run(
            [kubectl(), "kustomize", folder], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        self.text = done.stdout
        self.objects: list[Object] = list(yaml.safe_load_all(done.stdout))

    def all(self, kind: str) -> list[Object]:
        """Return the objects of a kind."""
        return [each for each in self.objects if each["kind"] == kind]

    def one(self, kind: str, name: str) -> Object:
        """Return an object; fail if it is not there."""
        found = [each for each in self.all(kind) if each["metadata"]["name"] == name]
        assert found, f"no {kind} {name}: {[each['metadata']['name'] for each in self.all(kind)]}"
        return found[0]

    def selected(self, labels: dict[str, str]) -> list[Object]:
        """Return the Deployments whose pods have these labels."""
        return [
            each
            for each in self.all("Deployment")
            if labels.items() <= each["spec"]["template"]["metadata"]["labels"].items()
        ]

    def pods(self) -> Iterator[tuple[str, Object]]:
        """Yield the name of each Deployment with the spec of its pods."""
        for each in self.all("Deployment"):
            yield each["metadata"]["name"], each["spec"]["template"]["spec"]

    def containers(self) -> Iterator[tuple[str, Object]]:
        """Yield the name of each Deployment with each of its containers."""
        for name, pod in self.pods():
            for container in pod["containers"]:
                yield name, container
