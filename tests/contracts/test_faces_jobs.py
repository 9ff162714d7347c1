"""Listing, looking, cancelling, deleting, over REST and over gRPC: and who may."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import update

from tests.fakes.api_site import ApiSite, open_site
from tests.fakes.faces import Asked, Face, Refused, opened_face
from videoannotator.api.auth import MISSING
from videoannotator.store import tables as t
from videoannotator.store.access import Access
from videoannotator.store.audit import Audit


async def submitted(face: Face, name: str = "clip.mp4", pipeline: str = "scene_detection") -> str:
    """The id of a new job on a video of its own."""
    asked = Asked(content=name.encode(), filename=name, pipelines=[pipeline])
    return str((await face.submit(asked))["id"])


async def ids(face: Face, **which: Any) -> list[str]:
    """The jobs that are listed."""
    return [job["id"] for job in (await face.listed(**which))["jobs"]]


async def code_of(work: Any) -> str:
    """The code of the refusal that it meets."""
    with pytest.raises(Refused) as caught:
        await work
    return caught.value.code


async def test_jobs_are_listed_newest_first_in_pages(face: Face) -> None:
    jobs = [await submitted(face, f"{number}.mp4") for number in range(3)]

    page = await face.listed(page=1, per_page=2)

    assert [job["id"] for job in page["jobs"]] == [jobs[2], jobs[1]]
    assert (page["total"], page["page"], page["per_page"]) == (3, 1, 2)
    assert await ids(face, page=2, per_page=2) == [jobs[0]]
    assert await ids(face, page=1_000_000, per_page=100) == []
    assert await ids(face, sort="oldest") == jobs


async def test_jobs_are_found_by_what_they_are(site: ApiSite, face: Face) -> None:
    cats = await submitted(face, "cats.mp4")
    dogs = await submitted(face, "dogs.mp4", "voice_activity")
    await site.finish(dogs)
    middle = (await face.get(dogs))["created_at"]

    assert await ids(face, status_filter="completed") == [dogs]
    assert await ids(face, status_filter="pending") == [cats]
    assert await ids(face, pipeline="scene_detection") == [cats]
    assert await ids(face, search="CAT") == [cats]
    assert await ids(face, search=dogs[:8]) == [dogs]
    assert await ids(face, search="%") == []
    assert await ids(face, created_after=middle) == [dogs]
    assert await ids(face, created_before=middle) == [cats]


@pytest.mark.parametrize(
    ("which", "field"),
    [
        ({"page": -1}, "page"),
        ({"page": 1_000_001}, "page"),
        ({"per_page": 101}, "per_page"),
        ({"per_page": -1}, "per_page"),
        ({"search": "x" * 256}, "search"),
        ({"owner": "x" * 65}, "owner"),
    ],
)
async def test_a_list_out_of_bounds_is_refused(
    face: Face, which: dict[str, Any], field: str
) -> None:
    with pytest.raises(Refused) as caught:
        await face.listed(**which)

    assert (caught.value.code, caught.value.field) == ("INVALID_REQUEST", field)


@pytest.mark.parametrize(
    "which", [{"search": "a\x00b"}, {"pipeline": "a\x00b"}, {"owner": "a\x00b"}]
)
async def test_a_name_with_nul_finds_nothing(face: Face, which: dict[str, str]) -> None:
    await submitted(face)

    assert await ids(face, **which) == []


async def test_everybody_sees_their_own_and_an_administrator_all(site: ApiSite, face: Face) -> None:
    ada = face.of(await site.user("ada"))
    theirs, mine = await submitted(ada), await submitted(face)
    owner = (await ada.get(theirs))["owner"]

    assert await ids(ada) == [theirs]
    assert await ids(ada, owner=owner) == [theirs]
    assert await ids(face) == [mine, theirs]
    assert await ids(face, owner=owner) == [theirs]
    assert await code_of(ada.listed(owner="somebody")) == "FORBIDDEN"


async def test_a_group_sees_what_is_shared_with_it(site: ApiSite, face: Face) -> None:
    """Jobs of a group come with batches; here the row is made by hand."""
    bob = face.of(await site.user("bob", group="lab"))
    eve = face.of(await site.user("eve"))
    job_id = await submitted(face)
    group = await _share(site, job_id)

    assert group
    assert await ids(bob) == [job_id]
    assert (await bob.get(job_id))["id"] == job_id
    assert await bob.files(job_id) == []
    assert await code_of(bob.cancel(job_id)) == "FORBIDDEN"
    assert await code_of(bob.delete(job_id)) == "FORBIDDEN"
    assert await code_of(eve.get(job_id)) == "JOB_NOT_FOUND"


async def _share(site: ApiSite, job_id: str) -> str:
    user = next(each for each in await Access(site.database).users() if each.name == "bob")
    group = await Access(site.database).add_to_group(user.id, "lab")
    async with site.database.writing() as connection:
        await connection.execute(update(t.jobs).where(t.jobs.c.id == job_id).values(group_id=group))
    return group


async def test_a_cancel_is_asked_once_and_told_again(site: ApiSite, face: Face) -> None:
    job_id = await submitted(face)
    await site.start(job_id)

    first, second = await face.cancel(job_id), await face.cancel(job_id)

    assert (first["status"], second["status"]) == ("cancelling", "cancelling")
    assert first["updated_at"] == second["updated_at"]
    assert site.scheduler.wakes == 3


async def test_a_job_that_has_ended_cannot_be_cancelled(site: ApiSite, face: Face) -> None:
    job_id = await submitted(face)
    await site.finish(job_id)

    with pytest.raises(Refused) as caught:
        await face.cancel(job_id)

    assert caught.value.code == "JOB_ALREADY_COMPLETED"
    assert caught.value.message.startswith(f"Cannot cancel job {job_id}")
    assert (await face.get(job_id))["status"] == "completed"


async def test_a_deleted_job_is_hidden_at_once(site: ApiSite, face: Face) -> None:
    job_id = await submitted(face)
    await site.start(job_id)

    await face.delete(job_id)

    for work in (face.get(job_id), face.cancel(job_id), face.delete(job_id), face.files(job_id)):
        assert await code_of(work) == "JOB_NOT_FOUND"
    assert await ids(face) == []
    assert (await _wants(site, job_id)) is not None


async def _wants(site: ApiSite, job_id: str) -> Any:
    async with site.scheduling() as transaction:
        rows = await transaction.job(job_id)
    assert rows is not None
    return rows.job.wants.delete_requested_at


@pytest.mark.parametrize("job_id", ["none", "", "\x00", "../x", "x" * 500, "é😀", "' OR 1=1 --"])
async def test_an_id_of_nobody_is_not_found(face: Face, kind: str, job_id: str) -> None:
    if kind == "rest":  # an id is part of an address there
        job_id = quote(job_id, safe="") or "%20"
    for work in (face.get(job_id), face.cancel(job_id), face.delete(job_id), face.files(job_id)):
        assert await code_of(work) in ("JOB_NOT_FOUND", "NOT_FOUND")


async def test_what_belongs_to_another_is_not_found(site: ApiSite, face: Face) -> None:
    job_id = await submitted(face)
    await site.finish(job_id)
    file_id = (await face.files(job_id))[0]["id"]
    ada = face.of(await site.user("ada"))

    for work in (
        ada.get(job_id),
        ada.cancel(job_id),
        ada.delete(job_id),
        ada.files(job_id),
        ada.read(job_id, file_id),
        anext(ada.watch(job_id)),
    ):
        assert await code_of(work) == "JOB_NOT_FOUND"
    assert (await face.get(job_id))["status"] == "completed"


@pytest.mark.parametrize("secret", [None, "va_wrong", "x" * 600, "dev-token", "va_"])
async def test_a_stranger_is_refused(site: ApiSite, face: Face, secret: str | None) -> None:
    stranger = face.of(secret)
    job_id = await submitted(face)

    for work in (
        stranger.submit(Asked()),
        stranger.listed(),
        stranger.get(job_id),
        stranger.cancel(job_id),
        stranger.delete(job_id),
        stranger.files(job_id),
        stranger.read(job_id, "x"),
        anext(stranger.watch(job_id)),
    ):
        with pytest.raises(Refused) as caught:
            await work
        assert caught.value.code == "HTTP_ERROR"  # as the public server says it
        assert caught.value.message == ("Invalid or expired token" if secret else MISSING)
    assert len(site.files()) == 1


async def test_a_revoked_key_is_over_at_once(site: ApiSite, face: Face) -> None:
    access = Access(site.database)
    secret = await site.user("ada")
    ada = face.of(secret)
    await ada.listed()
    key_id = (await access.principal(secret)).key_id

    await access.revoke(key_id or "")

    assert await code_of(ada.listed()) == "HTTP_ERROR"


async def test_without_authentication_everybody_is_the_administrator(
    tmp_path: Path, migrated: Path, kind: str
) -> None:
    async with (
        open_site(tmp_path / "site", migrated, required=False) as site,
        opened_face(kind, site) as face,
    ):
        job = await face.of(None).submit(Asked(priority=1))
        seen = await face.of("va_wrong").get(job["id"])

    assert (job["owner"], seen["id"]) == ("local", job["id"])


async def test_what_was_changed_is_in_the_audit_log(site: ApiSite, face: Face) -> None:
    job_id = await submitted(face)
    await face.get(job_id)
    await face.cancel(job_id)
    await face.delete(job_id)

    entries = list(reversed(await Audit(site.database).newest()))

    assert [(entry.action, entry.object_id) for entry in entries] == [
        ("job.submit", job_id),
        ("job.cancel", job_id),
        ("job.delete", job_id),
    ]
