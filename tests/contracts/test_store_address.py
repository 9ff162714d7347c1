"""Addresses of databases: which are taken, and what a refused one is told."""

from collections.abc import Callable

import pytest

from videoannotator.domain.errors import InvalidSetting
from videoannotator.store import engine
from videoannotator.store.engine import Database
from videoannotator.store.schema import check, upgrade


@pytest.mark.parametrize("act", [Database.open, upgrade, check])
def test_postgresql_without_its_driver_is_a_bad_setting(
    act: Callable[[str], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda _: None)

    with pytest.raises(InvalidSetting, match="no PostgreSQL driver") as refused:
        act("postgresql://me@host/name")

    assert refused.value.field == "database.url"
    assert "pip install 'videoannotator[postgresql]'" in refused.value.hint


@pytest.mark.parametrize(
    "url", ["mysql://host/name", "nonsense", "sqlite://", "sqlite:///:memory:"]
)
def test_another_address_is_a_bad_setting(url: str) -> None:
    with pytest.raises(InvalidSetting) as refused:
        Database.open(url)

    assert refused.value.field == "database.url"
