"""Users, groups, keys, videos, workers and the audit log."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tests.fakes.stored import Stored, a_video, principal
from videoannotator.domain.access import Role
from videoannotator.domain.errors import (
    Conflict,
    NotFound,
    Unauthenticated,
    VideoNotFound,
    WorkerNotFound,
)
from videoannotator.domain.jobs import RunState
from videoannotator.store.access import Access
from videoannotator.store.audit import Audit
from videoannotator.store.engine import Database
from videoannotator.store.videos import Videos
from videoannotator.store.workers import Workers

PAST = datetime(2020, 1, 1, tzinfo=UTC)


async def test_a_key_tells_who_its_user_is(database: Database) -> None:
    access = Access(database)
    user = await access.create_user("ada", Role.RESEARCHER)
    lab = await access.add_to_group(user.id, "lab")

    key, secret = await access.create_key(user.id, "laptop")

    found = await access.principal(secret)
    assert (found.user_id, found.name, found.role) == (user.id, "ada", Role.RESEARCHER)
    assert (found.group_ids, found.key_id) == ((lab,), key.id)
    assert secret.startswith(f"va_{key.prefix}")
    assert len(secret) >= 40
    assert await access.keys(user.id) == await access.keys() == [key]


async def test_no_secret_is_stored(database: Database, database_url: str) -> None:
    access = Access(database)
    user = await access.create_user("ada", Role.RESEARCHER)

    key, secret = await access.create_key(user.id, "laptop")

    assert secret not in repr(key)
    assert secret[11:] not in repr(await access.keys())


@pytest.mark.parametrize("secret", ["", "va_", "va_wrong", "\udcff", "x" * 10_000])
async def test_a_wrong_key_is_refused(stored: Stored, secret: str) -> None:
    with pytest.raises(Unauthenticated):
        await Access(stored.database).principal(secret)


async def test_an_expired_key_is_refused(database: Database) -> None:
    access = Access(database)
    user = await access.create_user("ada", Role.RESEARCHER)
    _, over = await access.create_key(user.id, "over", PAST)
    _, good = await access.create_key(user.id, "good", datetime.now(UTC) + timedelta(days=1))

    with pytest.raises(Unauthenticated):
        await access.principal(over)
    assert (await access.principal(good)).user_id == user.id


@pytest.mark.parametrize("by", ["id", "prefix", "va_prefix"])
async def test_a_revoked_key_is_refused(database: Database, by: str) -> None:
    access = Access(database)
    user = await access.create_user("ada", Role.RESEARCHER)
    key, secret = await access.create_key(user.id, "laptop")
    name = {"id": key.id, "prefix": key.prefix, "va_prefix": f"va_{key.prefix}"}[by]

    revoked = await access.revoke(name)
    again = await access.revoke(name)

    assert revoked.revoked_at is not None
    assert again == revoked
    with pytest.raises(Unauthenticated):
        await access.principal(secret)


async def test_what_is_not_there_is_told(database: Database) -> None:
    access = Access(database)

    with pytest.raises(NotFound):
        await access.revoke("none")
    with pytest.raises(NotFound):
        await access.create_key("none", "laptop")


async def test_a_name_is_taken_once(database: Database) -> None:
    access = Access(database)
    await access.create_user("ada", Role.RESEARCHER)

    with pytest.raises(Conflict):
        await access.create_user("ada", Role.ADMIN)

    assert [user.role for user in await access.users()] == [Role.RESEARCHER]


async def test_a_group_is_joined_once(database: Database) -> None:
    access = Access(database)
    user = await access.create_user("ada", Role.RESEARCHER)

    assert await access.add_to_group(user.id, "lab") == await access.add_to_group(user.id, "lab")


async def test_of_many_first_starts_one_makes_the_administrator(
    database: Database, other: Database
) -> None:
    starts = [Access(place).bootstrap_admin() for place in (database, other) * 4]

    secrets = [secret for secret in await asyncio.gather(*starts) if secret]

    assert len(secrets) == 1
    assert (await Access(database).principal(secrets[0])).role is Role.ADMIN
    assert len(await Access(database).users()) == 1


async def test_the_first_administrator_has_the_key_that_the_site_gave(database: Database) -> None:
    given = "va_" + "k" * 43

    assert await Access(database).bootstrap_admin(given) == given

    assert (await Access(database).principal(given)).role is Role.ADMIN


async def test_no_administrator_is_made_where_there_are_users(stored: Stored) -> None:
    assert await Access(stored.database).bootstrap_admin() is None


async def test_without_authentication_there_is_one_administrator(
    database: Database, other: Database
) -> None:
    asked = [Access(place).open_principal() for place in (database, other) * 4]

    principals = await asyncio.gather(*asked)

    assert len(set(principals)) == 1
    assert principals[0].sees_all
    assert principals[0].key_id is None
    assert await Access(database).bootstrap_admin() is not None


async def test_the_same_bytes_of_one_owner_are_one_video(stored: Stored, other: Database) -> None:
    video = a_video(stored.owner.user_id)
    adding = [
        Videos(place).add(replace(video, id=f"video {number}"))
        for number, place in enumerate([stored.database, other] * 4)
    ]

    added = await asyncio.gather(*adding)

    assert len({each.id for each in added}) == 1
    assert await Videos(stored.database).bytes_of(stored.owner.user_id) == 2000


async def test_the_same_bytes_of_two_owners_are_two_videos(stored: Stored) -> None:
    bob = await principal(stored.database, "bob")
    video = a_video(bob.user_id, sha256=stored.video.sha256)

    assert (await Videos(stored.database).add(video)).id == video.id


async def test_hidden_bytes_are_not_found_again(stored: Stored) -> None:
    videos = Videos(stored.database)
    assert await videos.drop_unused(stored.video.id)

    again = await videos.add(replace(stored.video, id="again"))

    assert again.id == "again"
    assert await videos.bytes_of(stored.owner.user_id) == stored.video.size_bytes
    with pytest.raises(VideoNotFound):
        await videos.get(stored.owner, stored.video.id)


async def test_a_video_that_a_job_uses_is_not_dropped(stored: Stored) -> None:
    await stored.submit()
    videos = Videos(stored.database)

    assert not await videos.drop_unused(stored.video.id)
    await videos.forget(stored.video.id)

    assert await videos.get(stored.owner, stored.video.id) == stored.video


async def test_a_foreign_video_is_not_found(stored: Stored) -> None:
    bob = await principal(stored.database, "bob")

    with pytest.raises(VideoNotFound):
        await Videos(stored.database).get(bob, stored.video.id)


@pytest.mark.parametrize("name", ["../../etc/passwd", "💥" * 300, "a\x00b", "\udcff.mp4", ""])
async def test_any_name_is_kept_as_far_as_it_is_text(stored: Stored, name: str) -> None:
    videos = Videos(stored.database)
    video = await videos.add(a_video(stored.owner.user_id, display_name=name))

    kept = (await videos.get(stored.owner, video.id)).display_name

    assert kept == name.replace("\x00", "\ufffd").replace("\udcff", "?")


async def test_workers_that_are_not_gone_are_listed(stored: Stored) -> None:
    await stored.end(await stored.launch(await stored.submit()), 0, RunState.SUCCEEDED)
    rows = await stored.launch(await stored.submit())

    assert await Workers(stored.database).living() == list(rows.workers)


async def test_abandoning_is_asked_for_once(stored: Stored) -> None:
    workers = Workers(stored.database)
    (worker,) = (await stored.launch(await stored.submit())).workers

    await workers.request_abandon(worker.id)
    (first,) = await workers.living()
    await workers.request_abandon(worker.id)

    assert first.abandon_requested_at is not None
    assert await workers.living() == [first]


async def test_a_worker_that_is_gone_is_not_abandoned(stored: Stored) -> None:
    rows = await stored.end(await stored.launch(await stored.submit()), 0, RunState.SUCCEEDED)

    for worker_id in (rows.workers[0].id, "none", "a\x00b"):
        with pytest.raises(WorkerNotFound):
            await Workers(stored.database).request_abandon(worker_id)


async def test_the_audit_log_keeps_who_did_what(stored: Stored) -> None:
    audit = Audit(stored.database)

    await audit.record(stored.owner, "job.submit", "job", {"runs": 2})
    await audit.record(None, "key.refused")

    newest, first = await audit.newest()
    assert (first.user_id, first.key_id) == (stored.owner.user_id, stored.owner.key_id)
    assert (first.action, first.object_id, first.detail) == ("job.submit", "job", {"runs": 2})
    assert (newest.user_id, newest.action, newest.detail) == (None, "key.refused", {})
