"""What a bucket must do beyond the contract: signed addresses, servers that refuse or are away."""

import asyncio
import hashlib
import io
import logging
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.fakes.s3 import BUCKET, S3Server
from videoannotator.blobs import s3
from videoannotator.blobs.interface import CHUNK_BYTES, BlobStore
from videoannotator.blobs.opening import open_blobs, signing_blobs
from videoannotator.blobs.s3 import MIB, PART_BYTES, S3Blobs, part_bytes
from videoannotator.domain.errors import (
    BlobNotFound,
    StorageDenied,
    StorageError,
    TooLarge,
)
from videoannotator.settings import StorageSettings, TelemetrySettings
from videoannotator.telemetry import configure


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece


async def whole(blobs: BlobStore, key: str) -> bytes:
    return b"".join([chunk async for chunk in blobs.read(key)])


@pytest.fixture
def blobs(s3_server: S3Server, tmp_path: Path) -> S3Blobs:
    return S3Blobs(s3_server.storage(tmp_path))


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    """A stranger, who has nothing but addresses."""
    async with httpx.AsyncClient() as http:
        yield http


def test_the_settings_say_which_store_it_is(s3_server: S3Server, tmp_path: Path) -> None:
    remote = s3_server.storage(tmp_path)
    local = StorageSettings(root=tmp_path)

    assert isinstance(open_blobs(remote), S3Blobs)
    assert isinstance(signing_blobs(remote), S3Blobs)
    assert not isinstance(open_blobs(local), S3Blobs)
    assert signing_blobs(local) is None


async def test_variables_of_aws_that_happen_to_be_around_change_nothing(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SESSION_TOKEN", "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION", "ENDPOINT_URL"):
        monkeypatch.setenv(f"AWS_{name}", "somebody-elses")
    blobs = S3Blobs(s3_server.storage(tmp_path))

    await blobs.put("a/b", pieces(b"1"))

    assert "somebody" not in await blobs.sign_get("a/b", 60)
    assert await blobs.list("") == ["a/b"]


async def test_two_storages_in_one_bucket_know_nothing_of_each_other(
    s3_server: S3Server, tmp_path: Path
) -> None:
    one, other = (S3Blobs(s3_server.storage(tmp_path)) for _ in range(2))
    await one.put("a/b", pieces(b"1"))

    assert await other.list("") == []
    assert await other.sweep("", older_than_seconds=-60, limit=10) == 0
    assert await one.list("") == ["a/b"]


@pytest.mark.parametrize("why", [ConnectionResetError, TooLarge])
async def test_a_put_that_is_broken_off_is_given_up(
    blobs: S3Blobs, s3_server: S3Server, why: type[Exception]
) -> None:
    seen: list[list[str]] = []
    before = len(s3_server.unfinished())

    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * (3 * PART_BYTES)
        async with asyncio.timeout(20):  # a part that is on its way just then may stay
            while len(s3_server.unfinished()) < before + 3:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)
        seen.append(await blobs.list(""))
        if why is not TooLarge:
            raise why
        yield b"y"

    with pytest.raises(why):
        await blobs.put("incoming/a", broken(), max_bytes=3 * PART_BYTES)

    assert seen == [[]], "half a blob was seen"
    assert await blobs.list("") == []
    assert len(s3_server.unfinished()) == before


async def test_a_server_that_dies_meanwhile_fails_the_put(
    tmp_path: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "RETRIES", 1)
    blobs = S3Blobs(s3_server.storage(tmp_path))

    async def deadly() -> AsyncIterator[bytes]:
        yield b"x" * (3 * PART_BYTES)
        s3_server.stop()
        for _ in range(64):
            yield b"x" * MIB

    try:
        with pytest.raises(StorageError):
            await blobs.put("incoming/a", deadly())
    finally:
        s3_server.start()

    assert await blobs.list("") == []


async def test_a_large_blob_is_moved_though_the_server_cannot_copy_it(
    blobs: S3Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3, "LARGEST_COPY_BYTES", CHUNK_BYTES)
    given = bytes(range(256)) * (2 * CHUNK_BYTES // 256)
    await blobs.put("incoming/a", pieces(given))

    await blobs.move("incoming/a", "videos/o/v/source")

    assert await blobs.list("") == ["videos/o/v/source"]
    assert await whole(blobs, "videos/o/v/source") == given


async def test_a_blob_that_is_replaced_while_it_is_read_is_told(blobs: S3Blobs) -> None:
    await blobs.put("a/b", pieces(b"1" * (s3.RANGE_BYTES + 1)))
    reading = blobs.read("a/b")
    await anext(reading)

    await blobs.put("a/b", pieces(b"2" * (s3.RANGE_BYTES + 1)))

    with pytest.raises(StorageError):
        _ = [chunk async for chunk in reading]


@pytest.mark.parametrize(
    ("most", "each"),
    [
        (None, PART_BYTES),
        (1, PART_BYTES),
        (10_000 * PART_BYTES, PART_BYTES),
        (10_000 * PART_BYTES + 1, PART_BYTES + MIB),
        (5 * 1024**4, 525 * MIB),
    ],
)
def test_parts_are_so_large_that_ten_thousand_are_enough(most: int | None, each: int) -> None:
    assert part_bytes(most) == each


# --- signed addresses


async def test_a_stranger_reads_and_writes_what_was_signed_for_him(
    blobs: S3Blobs, http: httpx.AsyncClient
) -> None:
    await blobs.put("videos/o/v/source", pieces(b"video"))

    read = await http.get(await blobs.sign_get("videos/o/v/source", 60))
    written = await http.put(await blobs.sign_put("jobs/o/j/p/1/a.json", 60), content=b"result")

    assert (read.status_code, read.content) == (200, b"video")
    assert written.status_code == 200
    assert await whole(blobs, "jobs/o/j/p/1/a.json") == b"result"


async def test_an_address_is_good_for_one_thing_alone(
    blobs: S3Blobs, http: httpx.AsyncClient
) -> None:
    await blobs.put("a/b", pieces(b"1"))
    await blobs.put("a/c", pieces(b"1"))
    read, write = await blobs.sign_get("a/b", 60), await blobs.sign_put("a/b", 60)

    answers = [
        await http.put(read, content=b"x"),
        await http.get(write),
        await http.delete(write),
        await http.get(read.replace("/a/b?", "/a/c?")),
        await http.get(read.partition("?")[0]),
    ]

    assert [answer.status_code for answer in answers] == [403] * 5
    assert await whole(blobs, "a/b") == b"1"


async def test_an_address_ends(blobs: S3Blobs, http: httpx.AsyncClient) -> None:
    await blobs.put("a/b", pieces(b"1"))
    address = await blobs.sign_get("a/b", 1)

    async with asyncio.timeout(20):
        while (await http.get(address)).status_code == 200:  # noqa: ASYNC110 - time must pass
            await asyncio.sleep(0.1)

    assert (await http.get(address)).status_code == 403


async def test_a_put_with_a_digest_that_is_cut_off_leaves_nothing(
    blobs: S3Blobs, s3_server: S3Server
) -> None:
    content = b"x" * 2_000_000
    digest = b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
    address = httpx.URL(await blobs.sign_put("a/b", 60))
    head = (
        f"PUT {address.raw_path.decode()} HTTP/1.1\r\nHost: {address.netloc.decode()}\r\n"
        f"Content-Length: {len(content)}\r\nContent-MD5: {digest}\r\n\r\n"
    )
    _, wire = await asyncio.open_connection("127.0.0.1", s3_server.port)

    wire.write(head.encode() + content[: len(content) // 2])
    await wire.drain()
    wire.transport.abort()

    for _ in range(30):  # the server hears of the end a little later than we
        assert await blobs.list("") == []


# --- servers that refuse, or are away

USES: dict[str, Any] = {
    "put": lambda blobs: blobs.put("a/b", pieces(b"1")),
    "put in parts": lambda blobs: blobs.put("a/b", pieces(b"1" * (2 * PART_BYTES))),
    "size": lambda blobs: blobs.size("a/b"),
    "read": lambda blobs: whole(blobs, "a/b"),
    "list": lambda blobs: blobs.list("a"),
    "delete": lambda blobs: blobs.delete_prefix("a"),
    "move": lambda blobs: blobs.move("a/b", "a/c"),
    "sweep": lambda blobs: blobs.sweep("a", older_than_seconds=0, limit=1),
}


@pytest.mark.parametrize("use", USES)
async def test_a_wrong_key_is_told_to_the_operator(
    s3_server: S3Server, tmp_path: Path, use: str
) -> None:
    blobs = S3Blobs(s3_server.storage(tmp_path, secret_access_key="wrong"))

    with pytest.raises(StorageDenied) as refused:
        await USES[use](blobs)

    assert "access key" in refused.value.hint


@pytest.mark.parametrize("use", ["put", "put in parts", "list", "delete", "sweep"])
async def test_a_missing_bucket_is_told_to_the_operator(
    s3_server: S3Server, tmp_path: Path, use: str
) -> None:
    blobs = S3Blobs(s3_server.storage(tmp_path, url="s3://no-such-bucket"))

    with pytest.raises(StorageError, match="bucket is not there") as refused:
        await USES[use](blobs)

    assert not isinstance(refused.value, BlobNotFound)
    assert "url" in refused.value.hint


@pytest.mark.parametrize("use", USES)
async def test_a_server_that_is_away_is_told_in_plain_words(
    s3_server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: str
) -> None:
    monkeypatch.setattr(s3, "RETRIES", 1)
    blobs = S3Blobs(s3_server.storage(tmp_path, endpoint="http://127.0.0.1:9"))

    with pytest.raises(StorageError, match="storage server failed") as told:
        await USES[use](blobs)

    assert BUCKET not in told.value.message + told.value.hint
    assert told.value.__cause__ is not None


async def test_no_line_of_a_log_holds_the_query_of_a_signed_address(
    blobs: S3Blobs, http: httpx.AsyncClient, s3_server: S3Server
) -> None:
    lines = io.StringIO()
    root = logging.getLogger()
    before = root.handlers, root.level
    configure("test", TelemetrySettings(log_level="debug", log_format="json"), lines)
    try:
        address = await blobs.sign_get("a/b", 60)
        await http.get(address)
        logging.getLogger("videoannotator").error("it was %s", address)
    finally:
        root.handlers, root.level = before

    assert "it was" in lines.getvalue()
    assert f"{s3_server.endpoint}/{BUCKET}" in lines.getvalue()
    assert "X-Amz" not in lines.getvalue()
