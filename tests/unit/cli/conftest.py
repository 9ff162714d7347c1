"""The command in this process, against a fake server."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.fakes.server import FakeServer, fake_server
from videoannotator.cli.main import main
from videoannotator.client import transport


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    with fake_server() as fake:
        monkeypatch.setenv("VIDEOANNOTATOR_SERVER", fake.address)
        monkeypatch.setenv("VIDEOANNOTATOR_TOKEN", "va_key")
        yield fake


@pytest.fixture
def command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Command:
    """Runs `videoannotator` with arguments, in an empty folder, without waiting."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(transport.Transport.__init__, "__kwdefaults__", _IMPATIENT)

    def run(*arguments: str) -> Ended:
        capsys.readouterr()
        code = main(arguments)
        said = capsys.readouterr()
        return Ended(code=code, out=said.out, err=said.err)

    return run


_IMPATIENT = {"patience": None, "sleep": lambda seconds: None, "busy": None}
