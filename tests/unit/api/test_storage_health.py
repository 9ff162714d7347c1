"""What health says of a storage that is a server."""

import asyncio
from pathlib import Path

import pytest

from tests.fakes.s3 import S3Server
from videoannotator.api.operations import system
from videoannotator.api.operations.system import remote_storage
from videoannotator.blobs import s3
from videoannotator.blobs.files import FileBlobs
from videoannotator.blobs.s3 import S3Blobs


async def test_a_server_that_answers_is_well(s3_server: S3Server, tmp_path: Path) -> None:
    found = await remote_storage(S3Blobs(s3_server.storage(tmp_path)))

    assert (found.status, found.message) == ("ok", "The storage server answers.")


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "http://127.0.0.1:9"},
        {"secret_access_key": "wrong"},
        {"url": "s3://no-such-bucket"},
    ],
)
async def test_one_that_refuses_or_is_away_is_an_error(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: dict[str, str]
) -> None:
    monkeypatch.setattr(s3, "RETRIES", 1)

    found = await remote_storage(S3Blobs(s3_server.storage(tmp_path, **wrong)))

    assert found.status == "error"
    assert found.message


async def test_one_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Hanging(FileBlobs):
        """Never answers."""

        async def list(self, prefix: str) -> list[str]:
            return await asyncio.Event().wait()  # type: ignore[return-value]

    monkeypatch.setattr(system, "ANSWER_SECONDS", 0.01)

    found = await remote_storage(Hanging(tmp_path))

    assert found.status == "error"
