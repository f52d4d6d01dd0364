"""Fixtures: what kustomize makes of the folders in ``k8s/``."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from manifests import Manifests

ROOT = Path(__file__).parents[2]

if sys.version_info < (3, 11):  # what these tests need is not installed then
    collect_ignore_glob = ["test_*.py"]

OVERLAYS = ("preview", "production")


@pytest.fixture(scope="session")
def render(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Manifests]:
    """Renders an overlay, with the components that are named commented in."""

    @cache
    def render(overlay: str, *components: str) -> Manifests:
        if not components:
            return Manifests(ROOT / "k8s/overlays" / overlay)
        copy = tmp_path_factory.mktemp("k8s") / "k8s"
        shutil.copytree(ROOT / "k8s", copy)
        file = copy / "overlays" / overlay / "kustomization.yaml"
        text = file.read_text()
        for component in components:
            comment = f"  # - ../../components/{component} #"
            assert comment in text, f"{overlay} offers no {component}"
            text = text.replace(comment, f"  - ../../components/{component} #")
        file.write_text(text)
        return Manifests(file.parent)

    return render


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    """The name of each overlay."""
    return str(request.param)


@pytest.fixture(params=[(), ("keda", "uploads")], ids=["as it is", "with all"])
def manifests(
    render: Callable[..., Manifests], overlay: str, request: pytest.FixtureRequest
) -> Manifests:
    """Each overlay, as it is and with what it offers."""
    return render(overlay, *request.param)
