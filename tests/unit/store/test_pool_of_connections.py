"""The pool of PostgreSQL's connections, where no server is needed."""

import logging

import pytest
from sqlalchemy import make_url

from videoannotator.store.postgresql import postgresql_engines


async def test_what_a_pool_does_all_the_time_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    writes, _ = postgresql_engines(make_url("postgresql+psycopg://user@localhost/nothing"))

    with caplog.at_level(logging.INFO):
        await writes.dispose()

    assert caplog.messages == []
