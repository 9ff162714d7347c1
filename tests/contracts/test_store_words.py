"""Words in any script: kept, found and sorted alike on every database."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import StatementError

from tests.fakes.stored import Stored, a_video
from videoannotator.domain.access import Role
from videoannotator.store.access import Access
from videoannotator.store.engine import Database
from videoannotator.store.rows import JobFilter
from videoannotator.store.videos import Videos

#: In the order of their code points, which is that of no language.
NAMES = [
    "B",
    "Z-9",
    "Z9",
    "_a",
    "a",
    "a b",
    "b",
    "ab",
    "Ärger",
    "ärger",
    "äz",
    "é",
    "Ω",
    "ж",
    "日本",
]


finite = st.floats(allow_nan=False, allow_infinity=False)


async def named(stored: Stored, name: str) -> str:
    """The id of a new job of a video of this name."""
    video = await Videos(stored.database).add(a_video(stored.owner.user_id, display_name=name))
    rows = await stored.submit(video_id=video.id)
    return rows.job.id


@pytest.mark.parametrize(
    ("search", "names"),
    [
        ("ärger", {"Ärger.mp4", "ÄRGER 2.mp4"}),
        ("ÄRGER", {"Ärger.mp4", "ÄRGER 2.mp4"}),
        ("arger", set()),
        ("ЖЕНЯ", {"женя.mov"}),
        ("é", {"café.mp4"}),
        ("CAFÉ", {"café.mp4"}),
        ("cafe", {"cafe.mp4"}),
        ("日本", {"日本.mp4"}),
        ("a\\b", {"a\\b.mp4"}),
        ("/", {"x/y.mp4"}),
    ],
)
async def test_a_search_knows_the_letters_of_every_language(
    stored: Stored, search: str, names: set[str]
) -> None:
    given = ("Ärger.mp4", "ÄRGER 2.mp4", "женя.mov", "café.mp4", "cafe.mp4", "日本.mp4", "a\\b.mp4")
    ids = {await named(stored, name): name for name in (*given, "x/y.mp4")}

    found, total = await stored.jobs.list(stored.owner, JobFilter(search=search))

    assert {ids[rows.job.id] for rows in found} == names
    assert total == len(names)


async def test_users_are_sorted_by_code_points(database: Database) -> None:
    access = Access(database)
    for name in reversed(NAMES):
        await access.create_user(name, Role.RESEARCHER)

    assert [user.name for user in await access.users()] == sorted(NAMES)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(words=st.text(), number=st.integers(-(2**53), 2**53), real=finite)
async def test_a_configuration_comes_back_as_it_was(
    stored: Stored, words: str, number: int, real: float
) -> None:
    config = {"words": words, "many": [number, real, None, True], words: {"deep": words}}

    rows = await stored.submit(config=config)

    assert (await stored.jobs.get(stored.owner, rows.job.id)).job.config == config


@pytest.mark.parametrize("number", [float("inf"), float("-inf"), float("nan")])
async def test_a_number_that_json_does_not_know_is_refused(stored: Stored, number: float) -> None:
    with pytest.raises((StatementError, ValueError), match="not JSON compliant"):
        await stored.submit(config={"threshold": number})

    assert await stored.jobs.list(stored.owner, JobFilter()) == ([], 0)
