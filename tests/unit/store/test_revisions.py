"""The revisions that the program names are those that its migrations make."""

from alembic.script import ScriptDirectory

from videoannotator.store.schema import MIGRATIONS, REVISIONS


def test_every_migration_is_named_in_its_order() -> None:
    scripts = ScriptDirectory(str(MIGRATIONS)).walk_revisions()  # the newest first

    assert [script.revision for script in scripts][::-1] == list(REVISIONS)
