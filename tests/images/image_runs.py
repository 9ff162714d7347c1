"""Images run with a read-only root, without rights, as the user they were made for."""

import json

import pytest

from tests.images.container import Image
from videoannotator import __version__
from videoannotator.scheduler.launchers.kubernetes.site import NOBODY

WRITE = (
    "import os, pathlib, sys; print(os.getuid(), os.getgid()); pathlib.Path(sys.argv[1]).touch()"
)


def test_an_image_runs_as_nobody_and_writes_to_tmp_alone(image: Image) -> None:
    allowed = image.run("python", "-c", WRITE, "/tmp/here")
    refused = image.run("python", "-c", WRITE, "/opt/videoannotator/here")

    assert (allowed.returncode, allowed.stdout) == (0, f"{NOBODY} {NOBODY}\n")
    assert "Read-only file system" in refused.stderr


def test_an_image_has_the_program(image: Image) -> None:
    shown = image.run("videoannotator", "version")

    assert (shown.returncode, shown.stdout) == (0, f"{__version__}\n"), shown.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("videoannotator", "api", "--help"),
        ("videoannotator", "scheduler", "--help"),
        ("python", "-m", "videoannotator.store", "--help"),
        ("kubectl-videoannotator", "--help"),
    ],
)
def test_the_control_image_has_every_process(control: Image, command: tuple[str, ...]) -> None:
    shown = control.run(*command)

    assert shown.returncode == 0, shown.stderr


def test_the_control_image_has_the_drivers_of_a_site(control: Image) -> None:
    shown = control.run(
        "python", "-c", "import kubernetes.aio, obstore, psycopg; print(psycopg.pq.__impl__)"
    )

    assert (shown.returncode, shown.stdout) == (0, "binary\n"), shown.stderr


def test_the_control_image_starts_nothing_without_a_database(control: Image) -> None:
    url = "postgresql://nobody@127.0.0.1:1/none"

    ended = control.run(
        "python", "-m", "videoannotator.store", "check", VIDEOANNOTATOR_DATABASE__URL=url
    )

    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert ended.stderr


def test_the_control_image_can_import_all_that_runs_in_it(control: Image) -> None:
    names = (
        "videoannotator.api.process",
        "videoannotator.scheduler.process",
        "videoannotator.scheduler.launchers.kubernetes.cluster",
        "videoannotator.blobs.s3",
        "videoannotator.store.schema",
        "videoannotator.v1.job_pb2_grpc",
    )

    shown = control.run("python", "-c", "\n".join(f"import {name}" for name in names))

    assert shown.returncode == 0, shown.stderr


def test_a_worker_knows_its_pipelines(image: Image) -> None:
    program = (
        "import json; from videoannotator.pipelines.catalogue import Catalogue\n"
        "print(json.dumps({each.name: each.extra for each in Catalogue.load().listed()}))"
    )

    known = json.loads(image.run("python", "-c", program).stdout)

    assert {"scene_detection", "voice_activity"} <= set(known)


def test_a_worker_without_a_launcher_says_what_is_missing(worker: Image) -> None:
    ended = worker.run(*worker.config["Entrypoint"], "scene_detection")

    assert ended.returncode == 64
    assert "Traceback" not in ended.stderr
