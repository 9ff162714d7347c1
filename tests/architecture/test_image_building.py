"""What the scripts of images ask of docker, with a docker that writes down what it was asked."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from videoannotator import __version__

DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >>"$RECORD"
case "$1" in run) printf '12\\t/opt/videoannotator\\n' ;; esac
"""
PACKAGES = ("PIP_INDEX_URL", "UV_DEFAULT_INDEX", "HTTPS_PROXY", "https_proxy")


@pytest.fixture
def docker(tmp_path: Path) -> Path:
    """A folder for PATH with a docker whose engine runs; what it was asked is in `record`."""
    program = tmp_path / "docker"
    program.write_text(DOCKER, encoding="utf-8")
    program.chmod(0o755)
    return tmp_path


def asked(docker: Path, script: str, *words: str, **variables: str) -> list[str]:
    """What docker was asked by a script; the first question is whether it is there."""
    path = f"{docker}:{os.environ['PATH']}"
    environment = {"PATH": path, "RECORD": str(docker / "record"), **variables}
    result = subprocess.run(
        [str(ROOT / "images" / script), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    first, *rest = (docker / "record").read_text(encoding="utf-8").splitlines()
    assert first == "info"
    return rest


def test_a_build_gives_an_image_its_name_its_version_and_its_revision(docker: Path) -> None:
    (build, size) = asked(docker, "build.sh", "scene")

    assert f"--target scene --tag localhost/videoannotator/scene:{__version__} ." in build
    assert f"--label org.opencontainers.image.version={__version__} " in build
    assert "--label org.opencontainers.image.revision=" in build
    assert "image.source" not in build
    assert size.startswith("run ")


def test_a_build_is_given_a_mirror_and_a_proxy_only_where_they_are_set(docker: Path) -> None:
    (plain, _) = asked(docker, "build.sh", "scene")
    (docker / "record").unlink()
    given = {name: f"http://{name.lower()}.example.org" for name in PACKAGES}
    (build, _) = asked(docker, "build.sh", "scene", **given)

    assert "--build-arg" not in plain
    assert [f"--build-arg {name}={value}" in build for name, value in given.items()] == [True] * 4


def test_a_build_takes_base_tag_and_address_of_the_code_from_its_variables(docker: Path) -> None:
    variables = {"BASE_IMAGE": "base:1", "IMAGE_TAG": "new", "IMAGE_SOURCE": "https://example.org"}

    (build, _) = asked(docker, "build.sh", "control", **variables)

    assert "--build-arg BASE_IMAGE=base:1 " in build
    assert "--tag localhost/videoannotator/control:new " in build
    assert "--label org.opencontainers.image.source=https://example.org " in build


def test_certificates_are_a_secret_of_the_build(docker: Path) -> None:
    own = docker / "own.pem"
    own.write_text("certificate", encoding="utf-8")

    (build, _) = asked(docker, "build.sh", "control", CERTIFICATES=str(own))

    assert f"--secret id=certificates,src={own} " in build


def test_images_of_tests_are_built_on_those_of_the_same_tag(docker: Path) -> None:
    variables = {"DOCKERFILE": "tests/cluster/Dockerfile", "IMAGE_TAG": "new"}

    (build, _) = asked(docker, "build.sh", "journal", **variables)

    assert "--file tests/cluster/Dockerfile " in build
    assert "--build-arg IMAGE_TAG=new " in build


def test_images_are_pushed_under_the_name_of_the_registry(docker: Path) -> None:
    there = "registry.example.org/videoannotator"
    local = f"localhost/videoannotator/scene:{__version__}"

    steps = asked(docker, "push.sh", "scene", IMAGE_PREFIX=there)

    assert steps == [
        f"tag {local} {there}/scene:{__version__}",
        f"push --quiet {there}/scene:{__version__}",
    ]


def test_images_are_saved_and_pushed_again_from_a_folder(docker: Path) -> None:
    archive = docker / "transfer" / f"scene-{__version__}.tar"

    (save,) = asked(docker, "save.sh", str(archive.parent), "scene")
    (docker / "record").unlink()
    load, *_ = asked(docker, "push.sh", "scene", IMAGE_PREFIX="r", FOLDER=str(archive.parent))

    assert save == f"save --output {archive} localhost/videoannotator/scene:{__version__}"
    assert load == f"load --quiet --input {archive}"


def test_a_push_needs_to_know_where_to(docker: Path) -> None:
    ended = subprocess.run(
        [str(ROOT / "images" / "push.sh"), "scene"],
        env={"PATH": f"{docker}:{os.environ['PATH']}", "RECORD": str(docker / "record")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 1
    assert "IMAGE_PREFIX=" in ended.stderr
