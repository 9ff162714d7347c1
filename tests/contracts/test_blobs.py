"""What every blob store must do."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from tests.fakes.s3 import S3Server
from videoannotator.blobs.files import FileBlobs
from videoannotator.blobs.interface import CHUNK_BYTES, BlobStore
from videoannotator.blobs.s3 import PART_BYTES, S3Blobs
from videoannotator.domain.errors import BlobNotFound, StorageDenied, TooLarge


@pytest.fixture(params=["files", "s3"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    if request.param == "files":
        return FileBlobs(tmp_path / "storage")
    server: S3Server = request.getfixturevalue("s3_server")
    return S3Blobs(server.storage(tmp_path))


async def pieces(*given: bytes) -> AsyncIterator[bytes]:
    for piece in given:
        yield piece


async def whole(blobs: BlobStore, key: str, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in blobs.read(key, start, end)])


async def left_in(blobs: BlobStore) -> tuple[list[str], int]:
    """The keys, and how much more was left behind by broken puts; deletes what it counts."""
    known = await blobs.list("")
    swept = await blobs.sweep("", older_than_seconds=-3600, limit=1000)
    return known, swept - len(known)


@pytest.mark.parametrize(
    "size",
    [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, 3 * CHUNK_BYTES + 7, PART_BYTES, 2 * PART_BYTES + 5],
)
async def test_what_was_put_is_read_back_with_its_hash(blobs: BlobStore, size: int) -> None:
    given = bytes(range(256)) * (size // 256 + 1)
    given = given[:size]
    parts = [given[at : at + 65_536] for at in range(0, size, 65_536)]

    stored = await blobs.put("incoming/a", pieces(*parts))

    assert stored.size_bytes == size
    assert stored.sha256 == hashlib.sha256(given).hexdigest() == await blobs.sha256("incoming/a")
    assert await blobs.size("incoming/a") == size
    assert await whole(blobs, "incoming/a") == given


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, None, b"0123456789"), (3, 7, b"3456"), (7, None, b"789"), (5, 5, b""), (20, 30, b"")],
)
async def test_a_range_gives_its_bytes(
    blobs: BlobStore, start: int, end: int | None, expected: bytes
) -> None:
    await blobs.put("a/b", pieces(b"01234", b"56789"))

    assert await whole(blobs, "a/b", start, end) == expected


async def test_a_range_may_be_longer_than_a_chunk(blobs: BlobStore) -> None:
    given = b"x" * CHUNK_BYTES + b"y" * CHUNK_BYTES + b"z"
    await blobs.put("a/b", pieces(given))

    assert await whole(blobs, "a/b", 1) == given[1:]


async def test_too_much_is_refused_and_nothing_stays(blobs: BlobStore) -> None:
    for most in (CHUNK_BYTES, 2 * PART_BYTES):
        with pytest.raises(TooLarge):
            await blobs.put("incoming/a", pieces(b"1" * most, b"23"), max_bytes=most + 1)

    assert await left_in(blobs) == ([], 0)


async def test_exactly_the_limit_is_taken(blobs: BlobStore) -> None:
    stored = await blobs.put("incoming/a", pieces(b"123", b"45"), max_bytes=5)

    assert stored.size_bytes == 5


async def test_a_broken_source_leaves_what_was_there(blobs: BlobStore) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"new" * PART_BYTES
        raise ConnectionResetError

    await blobs.put("a/b", pieces(b"old"))

    with pytest.raises(ConnectionResetError):
        await blobs.put("a/b", broken())

    assert await whole(blobs, "a/b") == b"old"
    assert await left_in(blobs) == (["a/b"], 0)


async def test_a_cancelled_put_leaves_nothing(blobs: BlobStore) -> None:
    waiting = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * (2 * PART_BYTES)
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(blobs.put("incoming/a", endless()))
    await waiting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await left_in(blobs) == ([], 0)


async def test_a_move_renames(blobs: BlobStore) -> None:
    await blobs.put("incoming/a", pieces(b"1"))

    await blobs.move("incoming/a", "videos/owner/id/source")

    assert await blobs.list("") == ["videos/owner/id/source"]


USES: dict[str, Callable[[BlobStore], Awaitable[object]]] = {
    "size": lambda blobs: blobs.size("no/such"),
    "sha256": lambda blobs: blobs.sha256("no/such"),
    "read": lambda blobs: whole(blobs, "no/such"),
    "move": lambda blobs: blobs.move("no/such", "a/b"),
}


@pytest.mark.parametrize("use", USES)
async def test_what_is_not_there_is_told(blobs: BlobStore, use: str) -> None:
    with pytest.raises(BlobNotFound):
        await USES[use](blobs)


async def test_a_folder_is_listed_sorted_and_alone(blobs: BlobStore) -> None:
    for key in ("jobs/o/b/x.json", "jobs/o/a/x.json", "jobs/o/ab/x.json", "videos/o/a/source"):
        await blobs.put(key, pieces(b"1"))

    assert await blobs.list("jobs/o") == ["jobs/o/a/x.json", "jobs/o/ab/x.json", "jobs/o/b/x.json"]
    assert await blobs.list("jobs/o/a") == ["jobs/o/a/x.json"]
    assert await blobs.list("jobs/nobody") == []


async def test_a_folder_is_deleted_and_its_neighbours_stay(blobs: BlobStore) -> None:
    for key in ("jobs/o/a/x.json", "jobs/o/a/p/1/y.json", "jobs/o/ab/x.json"):
        await blobs.put(key, pieces(b"1"))

    assert await blobs.delete_prefix("jobs/o/a") == 2
    assert await blobs.delete_prefix("jobs/o/a") == 0
    assert await blobs.list("") == ["jobs/o/ab/x.json"]


async def test_one_blob_is_deleted_by_its_key(blobs: BlobStore) -> None:
    await blobs.put("incoming/a", pieces(b"1"))

    assert await blobs.delete_prefix("incoming/a") == 1
    assert await blobs.list("") == []


async def test_only_old_blobs_are_swept_and_no_more_than_asked(blobs: BlobStore) -> None:
    for name in "abc":
        await blobs.put(f"incoming/{name}", pieces(b"1"))
    await blobs.put("videos/a/b/source", pieces(b"1"))

    assert await blobs.sweep("incoming", older_than_seconds=3600, limit=10) == 0
    assert await blobs.sweep("incoming", older_than_seconds=-60, limit=2) == 2
    assert await blobs.sweep("incoming", older_than_seconds=-60, limit=2) == 1
    assert await blobs.list("") == ["videos/a/b/source"]


async def test_old_keys_are_told_and_no_more_than_asked(blobs: BlobStore) -> None:
    for name in "abc":
        await blobs.put(f"doomed/o/{name}", pieces(b"1"))
    await blobs.put("videos/a/b/source", pieces(b"1"))

    assert not await blobs.older("doomed", 3600, 10)
    assert sorted(await blobs.older("doomed", -60, 10)) == [f"doomed/o/{name}" for name in "abc"]
    assert len(await blobs.older("doomed", -60, 2)) == 2


@pytest.mark.parametrize(
    "key",
    ["../x", "a/../../x", "/etc/passwd", "a//b", "a/./b", "", ".hidden", "a/ b", "a\\b", "a\0b",
     "a/ü", "a/" + "x" * 300],
)  # fmt: skip
async def test_keys_that_are_no_keys_are_refused(blobs: BlobStore, key: str) -> None:
    with pytest.raises(StorageDenied):
        await blobs.put(key, pieces(b"1"))
    with pytest.raises(StorageDenied):
        await blobs.delete_prefix(key)

    assert await blobs.list("") == []


async def test_a_folder_that_many_delete_at_once_is_gone(blobs: BlobStore) -> None:
    for _ in range(2 if isinstance(blobs, S3Blobs) else 20):
        await asyncio.gather(*(blobs.put(f"a/{name}", pieces(b"1")) for name in range(20)))

        await asyncio.gather(*(blobs.delete_prefix("a") for _ in range(4)))

        assert await blobs.list("a") == []
