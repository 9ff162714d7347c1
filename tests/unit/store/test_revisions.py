"""The revisions: those of the migrations, and what each lets a program do."""

import pytest
from alembic.script import ScriptDirectory

from videoannotator.store.schema import MIGRATIONS, REVISIONS, misfit, out_of_reach

#: Of a program two releases from now that changed the schema.
LATER = {"0001": "2.0", "0002": "2.1", "0003": "2.3"}


def test_every_migration_is_named_in_its_order() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS)).walk_revisions()  # the newest first

    assert [script.revision for script in scripts][::-1] == list(REVISIONS)


def test_revisions_are_counted_through() -> None:
    assert list(REVISIONS) == [f"{number:04}" for number in range(1, len(REVISIONS) + 1)]


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (None, "no tables"),
        ("0002", "an older schema"),
        ("0003", ""),
        ("0004", ""),  # the next release's, which only adds
        ("0005", "a newer schema"),
        ("something", "a newer schema"),
    ],
)
def test_a_program_works_on_its_own_schema_and_on_that_of_the_next_release(
    found: str | None, told: str
) -> None:
    refusal = misfit(found, LATER)

    assert (refusal is None) == (told == "")
    assert told in str(refusal)


@pytest.mark.parametrize(
    ("found", "told", "hint"),
    [
        (None, "", ""),
        ("0001", "more than one release behind", "Upgrade to release 2.1 first"),
        ("0002", "", ""),
        ("0003", "", ""),
        ("0004", "a newer schema", "Upgrade this program"),
    ],
)
def test_no_release_is_skipped(found: str | None, told: str, hint: str) -> None:
    refusal = out_of_reach(found, LATER)

    assert (refusal is None) == (told == "")
    if refusal is not None:
        assert told in refusal.message
        assert hint in refusal.hint
