"""Bytes to and from signed addresses, over a network that fails."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.signed_server import SignedServer, signed_server
from videoannotator.domain.errors import (
    BlobNotFound,
    Stopped,
    StorageDenied,
    StorageError,
    StorageFull,
)
from videoannotator.inference import transfer
from videoannotator.inference.transfer import (
    Download,
    Expected,
    Patience,
    Upload,
    fetch_small,
    stoppable,
)
from videoannotator.telemetry import TALKATIVE

CONTENT = bytes(range(256)) * 40
QUICK = Patience(answer_seconds=0.3, address_seconds=0.3, pause_seconds=0.01)
LASTING = Patience(pause_seconds=0.01)


@pytest.fixture
async def server() -> AsyncIterator[SignedServer]:
    async with signed_server() as server:
        server.contents["video"] = CONTENT
        yield server


def expected(content: bytes = CONTENT) -> Expected:
    """What the bytes must be."""
    return Expected(size_bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


async def fetched(
    server: SignedServer, target: Path, wanted: Expected | None = None, patience: Patience = LASTING
) -> list[int]:
    """Downloads the video; how far it was, each time that was told."""
    told: list[int] = []
    download = Download(wanted or expected(), target, told.append)
    await download.run(server.at("video"), patience)
    return told


async def test_a_video_is_fetched_whole(server: SignedServer, tmp_path: Path) -> None:
    told = await fetched(server, tmp_path / "v")

    assert (tmp_path / "v").read_bytes() == CONTENT
    assert told[-1] == len(CONTENT)
    assert server.requests == ["GET video"]


async def test_after_a_cut_it_goes_on_where_it_was(server: SignedServer, tmp_path: Path) -> None:
    server.cut_after_bytes = [3000, 2000]

    await fetched(server, tmp_path / "v")

    assert (tmp_path / "v").read_bytes() == CONTENT
    assert server.requests == ["GET video", "GET video bytes=3000-", "GET video bytes=5000-"]


async def test_a_server_without_ranges_sends_it_again_from_the_beginning(
    server: SignedServer, tmp_path: Path
) -> None:
    server.cut_after_bytes = [3000]
    server.ranges = False

    await fetched(server, tmp_path / "v")

    assert (tmp_path / "v").read_bytes() == CONTENT


@pytest.mark.parametrize("status", [500, 502, 503, 408, 429])
async def test_a_server_that_fails_for_a_moment_is_asked_again(
    server: SignedServer, tmp_path: Path, status: int
) -> None:
    server.statuses = [status, status]

    await fetched(server, tmp_path / "v")

    assert len(server.requests) == 3


async def test_a_server_that_goes_on_failing_is_given_up(
    server: SignedServer, tmp_path: Path
) -> None:
    server.statuses = [503] * 1000

    with pytest.raises(StorageError, match="does not answer"):
        await fetched(server, tmp_path / "v", patience=QUICK)


async def test_nobody_at_the_address_is_given_up(server: SignedServer, tmp_path: Path) -> None:
    download = Download(expected(), tmp_path / "v")

    with pytest.raises(StorageError, match="does not answer"):
        await download.run(lambda: "http://127.0.0.1:9/video?X-Amz-Signature=secret", QUICK)


async def test_bytes_that_move_renew_the_patience(server: SignedServer, tmp_path: Path) -> None:
    server.cut_after_bytes = [500] * (len(CONTENT) // 500)
    impatient = Patience(answer_seconds=0.0, pause_seconds=0.001)

    with pytest.raises(StorageError):
        await fetched(server, tmp_path / "v", patience=impatient)
    server.cut_after_bytes = [500] * (len(CONTENT) // 500)
    await fetched(server, tmp_path / "v", patience=replace(impatient, answer_seconds=5.0))

    assert (tmp_path / "v").read_bytes() == CONTENT


async def test_an_expired_address_is_replaced_by_the_newest_one(
    server: SignedServer, tmp_path: Path
) -> None:
    old = server.address("video")
    server.signature = 2
    addresses = iter([old, old])
    download = Download(expected(), tmp_path / "v")

    await download.run(lambda: next(addresses, server.address("video")), LASTING)

    assert (tmp_path / "v").read_bytes() == CONTENT


async def test_an_address_that_stays_refused_is_told_without_the_address(
    server: SignedServer, tmp_path: Path
) -> None:
    old = server.address("video")
    server.signature = 2
    download = Download(expected(), tmp_path / "v")

    with pytest.raises(StorageDenied) as refused:
        await download.run(lambda: old, QUICK)

    assert "signed_seconds" in refused.value.hint
    assert "Signature" not in refused.value.message + refused.value.hint


@pytest.mark.parametrize("announces", [True, False])
@pytest.mark.parametrize("content", [CONTENT + b"x", CONTENT[:-1]])
async def test_a_video_of_another_size_is_refused(
    server: SignedServer, tmp_path: Path, content: bytes, announces: bool
) -> None:
    server.contents["video"] = content
    server.announces = announces

    with pytest.raises(StorageError, match="bytes in the storage"):
        await fetched(server, tmp_path / "v")

    assert len(server.requests) == 1


async def test_a_video_with_another_checksum_is_refused(
    server: SignedServer, tmp_path: Path
) -> None:
    server.contents["video"] = CONTENT[:-1] + b"\0"

    with pytest.raises(StorageError, match="not the one that was stored"):
        await fetched(server, tmp_path / "v")


async def test_a_video_that_is_not_there_is_told_at_once(
    server: SignedServer, tmp_path: Path
) -> None:
    del server.contents["video"]

    with pytest.raises(BlobNotFound):
        await fetched(server, tmp_path / "v")

    assert len(server.requests) == 1


async def test_a_full_disk_is_told_as_the_workers_own(server: SignedServer) -> None:
    with pytest.raises(StorageFull, match="worker has no room"):
        await fetched(server, Path("/dev/full"))


async def test_a_full_storage_is_told(server: SignedServer, tmp_path: Path) -> None:
    server.statuses = [507]

    with pytest.raises(StorageFull):
        await uploaded(server, tmp_path / "f")


async def uploaded(server: SignedServer, source: Path, patience: Patience = LASTING) -> list[int]:
    """Uploads a file; how far it was, each time that was told."""
    told: list[int] = []
    await asyncio.to_thread(source.write_bytes, CONTENT)
    upload = Upload(source=source, size_bytes=len(CONTENT), tell=told.append)
    await upload.run(server.at("result"), patience)
    return told


async def test_a_file_is_brought_whole_also_after_failures(
    server: SignedServer, tmp_path: Path
) -> None:
    server.statuses = [500, 503]

    told = await uploaded(server, tmp_path / "f")

    assert server.contents["result"] == CONTENT
    assert told[-1] == len(CONTENT)
    assert server.requests == ["PUT result"] * 3


async def test_an_empty_file_is_brought(server: SignedServer, tmp_path: Path) -> None:
    (tmp_path / "f").touch()
    upload = Upload(source=tmp_path / "f", size_bytes=0, tell=lambda done: None)

    await upload.run(server.at("result"), LASTING)

    assert server.contents["result"] == b""


async def test_more_than_one_request_can_take_is_refused(
    server: SignedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "LARGEST_PUT_BYTES", len(CONTENT) - 1)

    with pytest.raises(StorageError, match="too large"):
        await uploaded(server, tmp_path / "f")

    assert server.requests == []


async def test_of_a_small_file_no_more_is_read_than_asked(server: SignedServer) -> None:
    assert await fetch_small(server.at("video"), 10) == CONTENT[:11]
    assert await fetch_small(server.at("video"), len(CONTENT)) == CONTENT


async def test_a_stop_ends_a_transfer_that_stalls(server: SignedServer, tmp_path: Path) -> None:
    server.cut_after_bytes, server.stalls = [3000], True
    download = Download(expected(), tmp_path / "v")
    stop = asyncio.Event()

    work = asyncio.to_thread(stoppable, download.run(server.at("video"), LASTING), stop.is_set)
    stopping = asyncio.create_task(work)
    await server.asked.wait()
    stop.set()

    with pytest.raises(Stopped):
        await stopping


async def test_no_log_line_holds_the_query_of_an_address(
    server: SignedServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in TALKATIVE:  # as every process of ours does
        caplog.set_level(logging.WARNING, name)
    server.statuses = [503]

    await fetched(server, tmp_path / "v")
    with pytest.raises(StorageDenied):
        await Download(expected(), tmp_path / "w").run(lambda: server.address("video") + "0", QUICK)

    assert "Signature" not in caplog.text
