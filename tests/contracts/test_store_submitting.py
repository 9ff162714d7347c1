"""A submission with its upload: one transaction, and few statements."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import update

from tests.fakes.stored import Stored, a_video, counted_steps
from videoannotator.domain.errors import LimitReached, VideoNotFound
from videoannotator.store import tables as t
from videoannotator.store.audit import Audit, Used
from videoannotator.store.rows import NewJob
from videoannotator.store.videos import Videos


def with_upload(stored: Stored) -> NewJob:
    """A job on bytes that nobody has sent before."""
    upload = a_video(stored.owner.user_id, created_at=datetime.now(UTC))
    return stored.new_job(video_id=upload.id, upload=upload)


async def test_a_submission_looks_once_and_writes_once(stored: Stored) -> None:
    use = Used(principal=stored.owner, action="job.submit")
    new = replace(with_upload(stored), idempotency_key="once", request_sha256="00")

    with counted_steps() as steps:
        rows, _ = await stored.jobs.submit(new, max_queued_runs=100, use=use)

    # On PostgreSQL its beginning, which finds a dead connection, is a message of its own.
    assert len(steps) == (3 if stored.on_postgresql else 2)
    assert await stored.jobs.get(stored.owner, rows.job.id) == rows
    (entry,) = await Audit(stored.database).newest()
    assert (entry.object_id, entry.user_id) == (rows.job.id, stored.owner.user_id)


async def test_more_runs_are_not_more_steps(stored: Stored) -> None:
    counts = []
    for names in (("one",), ("one", "two", "three")):
        with counted_steps() as steps:
            await stored.submit(*names)
        counts.append(len(steps))

    assert counts[0] == counts[1]


async def test_a_refused_submission_keeps_neither_video_nor_audit(stored: Stored) -> None:
    new, use = with_upload(stored), Used(principal=stored.owner, action="job.submit")
    await stored.submit()

    with pytest.raises(LimitReached):
        await stored.jobs.submit(new, max_queued_runs=1, use=use)

    with pytest.raises(VideoNotFound):
        await Videos(stored.database).get(stored.owner, new.video_id)
    assert await Audit(stored.database).newest() == []


async def test_a_repetition_is_audited_and_keeps_no_second_video(stored: Stored) -> None:
    first = replace(with_upload(stored), idempotency_key="again", request_sha256="same")
    use = Used(principal=stored.owner, action="job.submit")
    rows, _ = await stored.jobs.submit(first, use=use)
    upload = a_video(stored.owner.user_id, created_at=datetime.now(UTC))

    again, is_new = await stored.jobs.submit(replace(first, upload=upload), use=use)

    assert (again, is_new) == (rows, False)
    assert await Videos(stored.database).unknown([upload.id]) == {upload.id}
    told = [(each.action, each.object_id) for each in await Audit(stored.database).newest()]
    assert told == [("job.submit", rows.job.id)] * 2


async def test_the_same_bytes_of_before_may_go_while_they_come_again(stored: Stored) -> None:
    new = with_upload(stored)
    assert new.upload is not None
    same = replace(new, upload=replace(new.upload, sha256=stored.video.sha256))

    async with stored.database.writing() as connection:  # their last job is purged right now
        gone = update(t.videos).where(t.videos.c.id == stored.video.id)
        await connection.execute(gone.values(delete_requested_at=datetime.now(UTC)))
        submitting = asyncio.create_task(stored.jobs.submit(same))
        await asyncio.wait([submitting], timeout=0.2)
        assert not submitting.done()
    rows, _ = await submitting

    assert rows.video.id == new.video_id
