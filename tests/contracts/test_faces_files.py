"""Result files, over REST and over gRPC: listed, read whole and in parts, nobody else's."""

import hashlib

import pytest

from tests.fakes.api_site import ApiSite
from tests.fakes.faces import Asked, Face, Refused
from videoannotator.blobs import keys
from videoannotator.domain.access import Principal, Role
from videoannotator.store.jobs import Jobs

EVERYBODY = Principal(user_id="", name="", role=Role.ADMIN)
CONTENT = bytes(range(256)) * 5000  # more than a chunk


async def finished(site: ApiSite, face: Face, content: bytes = CONTENT) -> str:
    """The id of a job with a file of each of two pipelines."""
    asked = Asked(filename="my clip.mp4", pipelines=["scene_detection", "voice_activity"])
    job_id = str((await face.submit(asked))["id"])
    await site.finish(job_id, content)
    return job_id


async def test_every_file_of_a_job_is_listed(site: ApiSite, face: Face) -> None:
    job_id = await finished(site, face)
    files = await face.files(job_id)
    stored = await Jobs(site.database).artifacts(EVERYBODY, job_id)

    expected = [
        {
            "id": artifact.id,
            "pipeline": artifact.pipeline,
            "name": "result.json",
            "public_name": f"my clip_{artifact.pipeline}.json",
            "role": "result",
            "media_type": "application/json",
            "size_bytes": len(CONTENT),
            "sha256": hashlib.sha256(CONTENT).hexdigest(),
        }
        for artifact in stored
    ]
    for file in files:
        file.pop("download_url", None)
    assert files == expected
    assert [each["pipeline"] for each in files] == ["scene_detection", "voice_activity"]


async def test_a_job_without_results_has_no_files(face: Face) -> None:
    assert await face.files((await face.submit(Asked()))["id"]) == []


async def test_a_file_is_read_whole(site: ApiSite, face: Face) -> None:
    job_id = await finished(site, face)
    file = (await face.files(job_id))[1]

    content = await face.read(job_id, file["id"])

    assert hashlib.sha256(content).hexdigest() == file["sha256"]
    assert content == CONTENT


@pytest.mark.parametrize(
    ("start", "length"),
    [(0, 1), (2, 6), (1_048_570, 20), (1_200_000, 0), (1_279_999, 1), (5, 2**40)],
)
async def test_a_file_is_read_in_part(site: ApiSite, face: Face, start: int, length: int) -> None:
    job_id = await finished(site, face)
    file_id = (await face.files(job_id))[0]["id"]

    content = await face.read(job_id, file_id, start, length)

    assert content == CONTENT[start : start + length if length else None]


async def test_an_empty_file_is_read(site: ApiSite, face: Face) -> None:
    job_id = await finished(site, face, b"")
    file_id = (await face.files(job_id))[0]["id"]

    assert await face.read(job_id, file_id) == b""


async def test_a_part_beyond_the_end_is_refused(site: ApiSite, face: Face, kind: str) -> None:
    job_id = await finished(site, face)
    file_id = (await face.files(job_id))[0]["id"]

    with pytest.raises(Refused) as caught:
        await face.read(job_id, file_id, len(CONTENT) + 1)

    expected = {"rest": "RANGE_NOT_SATISFIABLE", "grpc": "INVALID_REQUEST"}
    assert caught.value.code == expected[kind]
    assert f"{len(CONTENT)} bytes" in caught.value.message


@pytest.mark.parametrize("file_id", ["none", "result.json", "x" * 300])
async def test_an_unknown_file_is_not_there(site: ApiSite, face: Face, file_id: str) -> None:
    job_id = await finished(site, face)

    with pytest.raises(Refused) as caught:
        await face.read(job_id, file_id)

    assert caught.value.code == "ARTIFACT_NOT_FOUND"


async def test_a_file_of_another_job_is_not_there(site: ApiSite, face: Face) -> None:
    job_id, other = await finished(site, face), await finished(site, face, b"[]")
    foreign = (await face.files(other))[0]["id"]

    with pytest.raises(Refused) as caught:
        await face.read(job_id, foreign)

    assert caught.value.code == "ARTIFACT_NOT_FOUND"


async def test_a_file_whose_bytes_are_gone_is_told(site: ApiSite, face: Face) -> None:
    job_id = await finished(site, face)
    file = (await face.files(job_id))[0]
    owner = (await face.get(job_id))["owner"]
    folder = keys.attempt_folder(owner, job_id, file["pipeline"], 1)
    await site.blobs.delete_prefix(folder)

    with pytest.raises(Refused) as caught:
        await face.read(job_id, file["id"])

    assert caught.value.code == "OUTPUT_FILE_MISSING"
