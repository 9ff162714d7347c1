"""Keys and the schema, in a real database of this machine."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Command

pytestmark = pytest.mark.sqlite("it looks into the file of one machine")


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: Command) -> Path:
    monkeypatch.setenv("STORAGE_ROOT", str(tmp_path / "storage"))
    assert command("db", "upgrade").code == 0
    return tmp_path / "storage" / "videoannotator.db"


def test_without_a_schema_the_way_to_one_is_told(command: Command) -> None:
    for arguments in (("db", "check"), ("token", "list")):
        ended = command(*arguments)

        assert ended.code == 1
        assert "videoannotator db upgrade" in ended.err


def test_the_schema_is_made_and_checked(command: Command, database: Path) -> None:
    ended = command("db", "check", "--json")

    assert database.exists()
    assert json.loads(ended.out)["current"] is True


def test_a_key_is_shown_once_listed_and_revoked(command: Command, database: Path) -> None:
    made = command("token", "create", "--user", "ada", "--name", "laptop")
    listed = json.loads(command("token", "list", "--json").out)["tokens"]
    revoked = command("token", "revoke", listed[0]["id"])
    after = command("token", "list")

    secret = made.out.strip()
    assert secret.startswith("va_")
    assert [(key["user"], key["name"]) for key in listed] == [("ada", "laptop")]
    assert secret not in json.dumps(listed) + after.out
    assert revoked.code == 0
    assert "revoked" in after.out


def test_what_is_done_to_keys_is_audited(command: Command, database: Path) -> None:
    command("token", "create", "--user", "ada")
    key = json.loads(command("token", "list", "--json").out)["tokens"][0]["id"]
    command("token", "revoke", key)

    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute("select action, object_id from audit order by id").fetchall()

    assert rows == [("token.create", key), ("token.revoke", key)]


def test_a_second_key_is_for_the_same_user(command: Command, database: Path) -> None:
    command("token", "create", "--user", "ada", "--role", "admin")
    command("token", "create", "--user", "ada")
    command("token", "create", "--user", "bob", "--expires-days", "3")

    assert len(json.loads(command("token", "list", "--user", "ada", "--json").out)["tokens"]) == 2


def test_a_role_is_not_changed_in_passing(command: Command, database: Path) -> None:
    command("token", "create", "--user", "ada")

    ended = command("token", "create", "--user", "ada", "--role", "admin")

    assert (ended.code, ended.out) == (1, "")
    assert "ada is a researcher already." in ended.err


def test_a_key_that_is_unknown_cannot_be_revoked(command: Command, database: Path) -> None:
    assert command("token", "revoke", "nonsense").code == 5
