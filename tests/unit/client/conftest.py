"""A fake server and a client of it that does not wait."""

from collections.abc import Iterator

import pytest

from tests.fakes.server import FakeServer, fake_server
from videoannotator.client import Client
from videoannotator.client.transport import Transport


@pytest.fixture
def server() -> Iterator[FakeServer]:
    with fake_server() as fake:
        yield fake


@pytest.fixture
def waits() -> list[float]:
    """How long the client would have waited, each time."""
    return []


@pytest.fixture
def client(server: FakeServer, waits: list[float]) -> Iterator[Client]:
    transport = Transport(server.address, "va_key", sleep=waits.append)
    with Client(server.address, transport=transport) as made:
        yield made
