"""What is signed for a worker: its own video, its own files, and nothing else."""

import re
from pathlib import Path
from urllib.parse import urlsplit

from tests.fakes.api_site import CATALOGUE
from tests.fakes.rows import a_job, a_run, a_worker
from videoannotator.scheduler.signed_places import SignedPlaces, signed_places
from videoannotator.settings import StorageSettings


def storage(root: Path) -> StorageSettings:
    """Settings of a server that nobody asks: signing needs none."""
    return StorageSettings(
        root=root,
        url="s3://bucket/prefix",
        endpoint="http://127.0.0.1:9",
        access_key_id="key",  # type: ignore[arg-type]
        secret_access_key="secret-value",  # type: ignore[arg-type]
        signed_seconds=600,
        resign_seconds=200,
    )


def places(root: Path) -> SignedPlaces:
    """Places of a site on S3."""
    made = signed_places(storage(root), CATALOGUE)
    assert made is not None
    return made


def split(address: str) -> tuple[str, str]:
    """The path of an address, and for how many seconds it holds."""
    parts = urlsplit(address)
    found = re.search(r"X-Amz-Expires=(\d+)", parts.query)
    assert found is not None
    return parts.path, found[1]


async def test_a_worker_gets_its_video_its_declared_files_and_its_manifest(tmp_path: Path) -> None:
    run = a_run(pipeline="scene_detection")

    given = await places(tmp_path).of(a_job(run), a_worker(run, attempt=3))

    assert given.path is None
    assert given.directory is None
    assert split(given.url or "") == ("/bucket/prefix/videos/ada/v/source", "600")
    folder = "/bucket/prefix/jobs/ada/j/scene_detection/3"
    assert {name: split(url) for name, url in (given.signed or {}).items()} == {
        name: (f"{folder}/{name}", "600") for name in ("result.json", "manifest.json")
    }
    assert split(given.manifest_url or "") == (f"{folder}/manifest.json", "600")
    assert given.manifest_url != (given.signed or {})["manifest.json"], "one reads, one writes"


async def test_addresses_hold_longer_than_until_the_next_ones_and_are_never_shown(
    tmp_path: Path,
) -> None:
    made = places(tmp_path)
    run = a_run(pipeline="scene_detection")

    shown = repr(await made.of(a_job(run), a_worker(run)))

    assert made.renewed_every_seconds == 200
    assert made.late_write_seconds == 600
    assert "X-Amz" not in shown
    assert "secret-value" not in shown


def test_a_folder_signs_nothing(tmp_path: Path) -> None:
    assert signed_places(StorageSettings(root=tmp_path), CATALOGUE) is None
