"""Submitting, over REST and over gRPC: every field, every refusal, and nothing left behind."""

import math
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.api_site import ApiSite, open_site
from tests.fakes.faces import Asked, Face, Refused, opened_face
from videoannotator.domain.access import Role

DEEP: dict[str, Any] = {}
for _ in range(28):
    DEEP = {"a": DEEP}


async def refusal(face: Face, asked: Asked) -> Refused:
    """What the face says to a submission that it refuses."""
    with pytest.raises(Refused) as caught:
        await face.submit(asked)
    return caught.value


async def test_a_submitted_video_is_stored_once_under_ids(site: ApiSite, face: Face) -> None:
    job = await face.submit(Asked(content=b"x" * 200_000))

    assert (job["status"], job["video_filename"], job["video_size_bytes"]) == (
        "pending",
        "clip.mp4",
        200_000,
    )
    assert site.files() == [f"videos/{job['owner']}/{job['video_id']}/source"]
    assert site.scheduler.wakes == 1


@pytest.mark.parametrize(
    ("selected", "expected"),
    [
        (["scene_detection"], ["scene_detection"]),
        (["voice_activity", "scene_detection"], ["voice_activity", "scene_detection"]),
        (["scene_detection", "scene_detection", "scene"], ["scene_detection"]),
        (["audio"], ["voice_activity"]),
        ([], ["scene_detection", "voice_activity"]),
    ],
)
async def test_pipelines_are_chosen(face: Face, selected: list[str], expected: list[str]) -> None:
    job = await face.submit(Asked(pipelines=selected))

    assert job["selected_pipelines"] == expected


@pytest.mark.parametrize(
    ("config", "threshold", "ignored"),
    [
        ({}, 3.5, {}),
        ({"scene_detection": {"threshold": 9}}, 9, {}),
        ({"scene": {"threshold": 9.25}}, 9.25, {}),
        ({"threshold": 9, "scene_detection": {"threshold": 8}}, 8, {}),
        ({"scene_detection": {"treshold": 9}}, 3.5, {"treshold": "threshold"}),
        ({"video_processing": {"fps": [5, None, True]}}, 3.5, {"video_processing": ""}),
        ({"voice_activity": {"threshold": 10, "x": 1}}, 3.5, {}),
    ],
)
async def test_a_configuration_is_applied_and_what_nobody_knows_is_told(
    face: Face, config: dict[str, Any], threshold: float, ignored: dict[str, str]
) -> None:
    job = await face.submit(Asked(config=config))

    assert job["config"] == config
    assert job["runs"][0]["parameters"]["threshold"] == threshold
    assert job["runs"][0]["ignored_parameters"] == ignored


@pytest.mark.parametrize(
    ("asked", "code", "field", "told"),
    [
        (
            Asked(config={"scene_detection": {"threshold": 101}}),
            "INVALID_CONFIG",
            "scene_detection.threshold",
            "0 to 100",
        ),
        (
            Asked(config={"threshold": 9, "face_analysis": {"threshold": -1}}),
            "INVALID_CONFIG",
            "face_analysis.threshold",
            "0 to 100",
        ),
        (Asked(config={"a": math.inf}), "INVALID_REQUEST", None, "JSON"),
        (Asked(config=DEEP), "INVALID_REQUEST", "config", "too deep"),
        (Asked(config={"a": "x" * 300_000}), "TOO_LARGE", None, "262144 bytes"),
        (
            Asked(config={"scene_detection": 7}),
            "INVALID_CONFIG",
            "scene_detection",
            "JSON object",
        ),
        (
            Asked(pipelines=["scene_detecton"]),
            "INVALID_CONFIG",
            "selected_pipelines",
            "Known pipelines: face_analysis, scene_detection, voice_activity",
        ),
        (Asked(pipelines=["a\x00b"]), "INVALID_CONFIG", "selected_pipelines", "Unknown pipeline"),
        (Asked(pipelines=["face"]), "PIPELINE_UNAVAILABLE", "face_analysis", "pip install"),
        (Asked(priority=101), "INVALID_REQUEST", "priority", "-100 to 100"),
        (Asked(priority=-(2**31)), "INVALID_REQUEST", "priority", "-100 to 100"),
        (Asked(key="k" * 256), "INVALID_REQUEST", "Idempotency-Key", "Send a UUID"),
        (Asked(content=None, video_id="none"), "VIDEO_NOT_FOUND", None, "not found"),
        (Asked(content=None, video_id="\x00"), "VIDEO_NOT_FOUND", None, "not found"),
        (Asked(content=None), "INVALID_REQUEST", "video", ""),
    ],
)
async def test_a_refused_request_says_why_and_leaves_nothing(
    site: ApiSite, face: Face, asked: Asked, code: str, field: str | None, told: str
) -> None:
    refused = await refusal(face, asked)

    assert refused.code == code
    assert refused.field == field or field is None
    assert told in refused.message + refused.hint
    assert refused.message
    assert site.files() == []
    assert (await face.listed())["total"] == 0


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "../../etc/passwd"),
        ("😀" * 300, "😀" * 255),
        ("a\u202eb.mp4", "ab.mp4"),
    ],
)
async def test_a_strange_name_is_for_display_only(
    site: ApiSite, face: Face, name: str, shown: str
) -> None:
    job = await face.submit(Asked(filename=name))

    assert job["video_filename"] == shown
    assert site.files() == [f"videos/{job['owner']}/{job['video_id']}/source"]


async def test_an_empty_video_is_taken(face: Face) -> None:
    assert (await face.submit(Asked(content=b"")))["video_size_bytes"] == 0


async def test_the_same_bytes_are_kept_once(site: ApiSite, face: Face) -> None:
    first = await face.submit(Asked(filename="one.mp4"))
    second = await face.submit(Asked(filename="two.mp4"))

    assert first["id"] != second["id"]
    assert first["video_id"] == second["video_id"]
    assert (first["video_filename"], second["video_filename"]) == ("one.mp4", "two.mp4")
    assert len(site.files()) == 1


async def test_a_stored_video_is_annotated_again_by_its_owner_alone(
    site: ApiSite, face: Face
) -> None:
    video_id = (await face.submit(Asked()))["video_id"]
    ada = face.of(await site.user("ada"))
    again = Asked(content=None, video_id=video_id, pipelines=["voice_activity"])

    assert (await face.submit(again))["video_id"] == video_id
    assert (await refusal(ada, again)).code == "VIDEO_NOT_FOUND"


async def test_only_an_administrator_goes_first(site: ApiSite, face: Face) -> None:
    ada = face.of(await site.user("ada", Role.RESEARCHER))

    assert (await refusal(ada, Asked(priority=1))).code == "FORBIDDEN"
    assert (await ada.submit(Asked(priority=-1)))["priority"] == -1
    assert (await face.submit(Asked(priority=100)))["priority"] == 100


async def test_a_repeated_request_gives_the_same_job(site: ApiSite, face: Face) -> None:
    first, second = await face.submit(Asked(key="k")), await face.submit(Asked(key="k"))
    other = await refusal(face, Asked(content=b"other", key="k"))
    ada = await face.of(await site.user("ada")).submit(Asked(key="k"))

    assert first["id"] == second["id"] != ada["id"]
    assert other.code == "IDEMPOTENCY_MISMATCH"
    assert len(site.files()) == 2


async def test_a_request_is_the_same_whichever_face_it_comes_by(site: ApiSite) -> None:
    asked = Asked(key="k", config={"scene_detection": {"threshold": 9}}, priority=1)
    async with opened_face("grpc", site) as rpc, opened_face("rest", site) as rest:
        first, second = await rpc.submit(asked), await rest.submit(asked)

    assert first["id"] == second["id"]


async def test_uploads_are_limited_per_minute(tmp_path: Path, migrated: Path, kind: str) -> None:
    async with (
        open_site(tmp_path / "site", migrated, uploads_per_minute=2) as site,
        opened_face(kind, site) as face,
    ):
        await refusal(face, Asked(pipelines=["nope"]))  # does not count
        for _ in range(2):
            await face.submit(Asked())
        third = await refusal(face, Asked())

    assert (third.code, third.message) == ("LIMIT_REACHED", "More than 2 uploads in a minute.")


async def test_an_owner_has_so_many_runs_and_bytes(
    tmp_path: Path, migrated: Path, kind: str
) -> None:
    limits = {"max_queued_runs_per_owner": 1, "max_bytes_per_owner": 10}
    async with (
        open_site(tmp_path / "site", migrated, **limits) as site,
        opened_face(kind, site) as face,
    ):
        large = await refusal(face, Asked(content=b"x" * 11))
        none = site.files()
        await face.submit(Asked(content=b"x" * 5))
        queued = await refusal(face, Asked(content=b"y" * 5))
        one = site.files()

    assert (large.code, queued.code) == ("LIMIT_REACHED", "LIMIT_REACHED")
    assert none == []
    assert len(one) == 1


async def test_too_large_a_video_is_refused(tmp_path: Path, migrated: Path, kind: str) -> None:
    async with (
        open_site(tmp_path / "site", migrated, max_upload_bytes=300_000) as site,
        opened_face(kind, site) as face,
    ):
        small = await face.submit(Asked(content=b"x" * 300_000))
        by_a_byte = await refusal(face, Asked(content=b"x" * 300_001))
        by_far = await refusal(face, Asked(content=b"x" * 3_000_000))
        kept = site.files()

    assert small["video_size_bytes"] == 300_000
    assert {(each.code, each.field) for each in (by_a_byte, by_far)} == {("TOO_LARGE", "video")}
    assert len(kept) == 1
