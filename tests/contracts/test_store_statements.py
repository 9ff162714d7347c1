"""How often the database is asked: neither more often for more rows, nor twice for the same."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Text, bindparam, cast, insert, select, update

from tests.fakes.stored import NOON, Stored, counted_statements, counted_steps, principal
from videoannotator.domain.errors import JobNotFound, Unauthenticated
from videoannotator.store import known_keys
from videoannotator.store import tables as t
from videoannotator.store.access import Access
from videoannotator.store.jobs import JobFilter


def asked(statements: list[str]) -> list[str]:
    """Those that ask or change something: not what begins a transaction."""
    return [each for each in statements if not each.startswith(("BEGIN", "SET LOCAL"))]


async def test_a_member_of_a_group_sees_its_jobs_and_no_others(stored: Stored) -> None:
    rows = await stored.submit()
    stranger = await principal(stored.database, "eve")

    for groups in (("a",), ("a", "b")):
        member = replace(stranger, group_ids=groups)
        with pytest.raises(JobNotFound):
            await stored.jobs.get_with_artifacts(member, rows.job.id)
    async with stored.database.writing() as connection:
        await connection.execute(insert(t.groups).values(id="b", name="b", created_at=NOON))
        await connection.execute(update(t.jobs).values(group_id="b"))

    shown, _ = await stored.jobs.get_with_artifacts(member, rows.job.id)
    assert shown.job.id == rows.job.id


async def statements_of_waiting(stored: Stored, count: int) -> int:
    """How many statements it takes to say why so many runs wait."""
    runs = [(await stored.submit()).runs[0].id for _ in range(count)]
    with counted_statements() as seen:
        async with stored.schedule.transaction(stored.epoch) as transaction:
            told = [(run, "no free slot", place) for place, run in enumerate(runs)]
            await transaction.all_waiting(told)
    return len(asked(seen))


async def test_why_many_wait_is_written_at_once(stored: Stored) -> None:
    assert await statements_of_waiting(stored, 20) == await statements_of_waiting(stored, 2)


async def test_a_tick_reads_many_jobs_as_it_reads_two(stored: Stored) -> None:
    counts = []
    for more in (2, 30):
        for _ in range(more):
            await stored.submit()
        with counted_statements() as seen:
            await stored.schedule.snapshot()
        counts.append(len(asked(seen)))

    assert counts[0] == counts[1]


async def test_a_job_and_its_files_are_one_message_and_ask_no_thread(stored: Stored) -> None:
    rows = await stored.submit()

    with counted_steps() as steps:
        shown, _ = await stored.jobs.get_with_artifacts(stored.owner, rows.job.id)

    assert shown == rows
    assert len(steps) == (1 if stored.on_postgresql else 0)


ECHO = (select(cast(bindparam("words", type_=Text), Text).label("words")),)


@pytest.mark.parametrize(
    "words",
    ["", "'; DROP TABLE jobs; --", "\\' OR 1=1", "100 %s %(job_id)s %%", ":x ?", "ü\n€"],
)
async def test_what_is_looked_up_with_is_a_value_and_nothing_else(
    stored: Stored, words: str
) -> None:
    ((row,),) = await stored.database.look_up(ECHO, {"words": words})

    assert list(row.values()) == [words]


async def test_a_page_of_jobs_takes_as_many_reads_as_one_job(stored: Stored) -> None:
    counts = []
    for more in (1, 20):
        for _ in range(more):
            await stored.submit()
        with counted_statements() as seen:
            await stored.jobs.list(stored.owner, JobFilter(), per_page=100)
        counts.append(len(asked(seen)))

    assert counts[0] == counts[1]


async def test_a_key_is_looked_up_once_in_a_while(
    stored: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known_keys, "FRESH_SECONDS", 3600.0)
    access: Any = Access(stored.database)
    _, secret = await access.create_key(stored.owner.user_id, "key")
    first = await access.principal(secret)

    with counted_statements() as seen:
        again = [await access.principal(secret) for _ in range(20)]

    assert again == [first] * 20
    assert seen == []


async def test_what_another_process_revoked_is_over_when_the_memory_is(stored: Stored) -> None:
    access, seconds = Access(stored.database), [0.0]
    access._known = known_keys.KnownKeys(lambda: seconds[0])
    key, secret = await access.create_key(stored.owner.user_id, "key")
    seconds[0] = 10.0
    known = await access.principal(secret)

    other = Access(stored.database)  # as a process of its own: it does not know our memory
    await other.revoke(key.id)

    assert await access.principal(secret) == known
    seconds[0] += known_keys.FRESH_SECONDS
    with pytest.raises(Unauthenticated):
        await access.principal(secret)
