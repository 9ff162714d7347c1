"""What a job calls its video: its own upload's name, or the video's."""

from tests.fakes.stored import Stored
from videoannotator.store.jobs import JobFilter


async def test_a_job_keeps_its_own_name_for_the_video(stored: Stored) -> None:
    rows = await stored.submit(video_name="second name.mp4")

    read = await stored.jobs.get(stored.owner, rows.job.id)

    assert read == rows
    assert (read.job.video_name, read.video_name) == ("second name.mp4", "second name.mp4")
    assert read.video.display_name == "clip.mp4"


async def test_a_job_without_a_name_calls_the_video_as_the_video_does(stored: Stored) -> None:
    assert (await stored.submit()).video_name == "clip.mp4"


async def test_a_job_is_found_by_the_name_it_shows_alone(stored: Stored) -> None:
    renamed = await stored.submit(video_name="second name.mp4")
    plain = await stored.submit()

    for words, job in {"SECOND": renamed, "clip": plain}.items():
        found, total = await stored.jobs.list(stored.owner, JobFilter(search=words))
        assert ([rows.job.id for rows in found], total) == ([job.job.id], 1)
