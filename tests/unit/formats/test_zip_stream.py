"""The streamed ZIP, read back by zipfile and unzip."""

import asyncio
import io
import shutil
import zipfile
import zlib
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from videoannotator.domain.errors import StorageError
from videoannotator.formats import zip_stream
from videoannotator.formats.zip_stream import Crc, ZipMember, ZipStream, unique_names


def member(name: str, content: bytes, *, said: int | None = None, chunk: int = 7) -> ZipMember:
    async def read() -> AsyncIterator[bytes]:
        for start in range(0, len(content), chunk):
            yield content[start : start + chunk]

    return ZipMember(name=name, size=len(content) if said is None else said, open=read)


async def written(members: Sequence[ZipMember]) -> bytes:
    return b"".join([chunk async for chunk in ZipStream(members)])


async def test_zipfile_reads_every_member_with_its_name_bytes_and_crc() -> None:
    contents = {"vidéo 影片 🎬.mp4": b"\0" * 1000, "a.json": b"{}", "empty.csv": b""}
    archive = await written([member(name, content) for name, content in contents.items()])

    read = zipfile.ZipFile(io.BytesIO(archive))

    assert read.testzip() is None
    assert {name: read.read(name) for name in read.namelist()} == contents


@given(contents=st.lists(st.binary(max_size=60), max_size=6), chunk=st.integers(1, 70))
async def test_size_is_known_before_the_first_byte(contents: list[bytes], chunk: int) -> None:
    members = [member(f"{i}.bin", each, chunk=chunk) for i, each in enumerate(contents)]

    archive = await written(members)

    assert len(archive) == ZipStream(members).size
    read = zipfile.ZipFile(io.BytesIO(archive))
    assert [read.read(name) for name in read.namelist()] == contents


@pytest.mark.skipif(not shutil.which("unzip"), reason="unzip is not installed")
async def test_unzip_finds_no_fault(tmp_path: Path) -> None:
    members = [member("a ü.bin", b"a" * 50), member("b.bin", b"b" * 300), member("c", b"")]
    (tmp_path / "x.zip").write_bytes(await written(members))

    tested = await asyncio.create_subprocess_exec("unzip", "-t", tmp_path / "x.zip", stdout=PIPE)
    said, _ = await tested.communicate()

    assert tested.returncode == 0, said
    assert said.count(b"OK") == 3


async def test_a_count_too_large_for_16_bits_goes_into_the_zip64_record(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(zip_stream, "_LIMIT_16", 3)  # instead of 65,535 members
    members = [member(str(number), b"x") for number in range(5)]

    archive = await written(members)

    assert b"PK\6\6" in archive
    assert zipfile.ZipFile(io.BytesIO(archive)).namelist() == ["0", "1", "2", "3", "4"]
    assert len(archive) == ZipStream(members).size


async def test_members_beyond_4_gib_are_read_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Crc, "add", add_small)  # 5 s for a number that nobody reads here
    size, head = 5 * 1024**3, b"tail"
    big = ZipMember(name="big.mp4", size=size, open=lambda: zeros(size))
    stream = ZipStream([big, member("after.json", head)])

    sparse = SparseFile()
    async for chunk in stream:
        sparse.write(chunk)

    read = zipfile.ZipFile(sparse)
    assert sparse.size == stream.size
    assert read.getinfo("big.mp4").file_size == size
    assert read.getinfo("after.json").header_offset > 4 * 1024**3
    assert read.read("after.json") == head


def add_small(crc: Crc, chunk: bytes) -> None:
    if len(chunk) < 1024**2:
        crc.value = zlib.crc32(chunk, crc.value)


async def zeros(size: int) -> AsyncIterator[bytes]:
    block = bytes(64 * 1024**2)
    for _ in range(size // len(block)):
        yield block


class SparseFile(io.RawIOBase):
    """Keeps what is not zero."""

    def __init__(self) -> None:
        self.parts: list[tuple[int, bytes]] = []
        self.size = self.position = 0

    def write(self, chunk: bytes) -> int:  # type: ignore[override]
        if len(chunk) < 1024**2:
            self.parts.append((self.size, chunk))
        self.size += len(chunk)
        return len(chunk)

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def seek(self, offset: int, whence: int = 0) -> int:
        self.position = offset + (0, self.position, self.size)[whence]
        return self.position

    def read(self, count: int | None = -1) -> bytes:
        count = self.size - self.position if count is None or count < 0 else count
        count = min(count, self.size - self.position)
        found = bytearray(count)
        for start, part in self.parts:
            low, high = max(start, self.position), min(start + len(part), self.position + count)
            if low < high:
                found[low - self.position : high - self.position] = part[low - start : high - start]
        self.position += count
        return bytes(found)


@pytest.mark.parametrize("said", [3, 5])
async def test_a_member_that_changed_its_size_ends_the_stream(said: int) -> None:
    with pytest.raises(StorageError, match=r"a\.json changed its size"):
        await written([member("a.json", b"four", said=said)])


async def test_a_client_that_goes_away_closes_the_member_in_hand() -> None:
    closed = []

    async def read() -> AsyncIterator[bytes]:
        try:
            yield b"a"
            yield b"b"
        finally:
            closed.append(True)

    stream = aiter(ZipStream([ZipMember(name="a", size=2, open=read)]))
    assert await anext(stream)
    assert await anext(stream) == b"a"
    await stream.aclose()  # type: ignore[attr-defined]

    assert closed == [True]


async def test_no_member_is_opened_before_its_turn() -> None:
    opened = []

    def reader(name: str) -> ZipMember:
        async def read() -> AsyncIterator[bytes]:
            opened.append(name)
            yield b"x"

        return ZipMember(name=name, size=1, open=read)

    stream = ZipStream([reader("a"), reader("b")])
    assert stream.size > 0

    async for _ in stream:
        break

    assert opened == []


async def test_a_modification_time_is_kept() -> None:
    moment = datetime(2026, 5, 3, 12, 34, 56, tzinfo=UTC)
    content = member("a", b"a")
    dated = ZipMember(name="a", size=1, open=content.open, modified_at=moment)

    archive = zipfile.ZipFile(io.BytesIO(await written([dated])))

    assert archive.getinfo("a").date_time == (2026, 5, 3, 12, 34, 56)


async def test_the_crc_is_that_of_the_bytes() -> None:
    archive = zipfile.ZipFile(io.BytesIO(await written([member("a", b"hello")])))

    assert zlib.crc32(b"hello") == archive.getinfo("a").CRC


@pytest.mark.parametrize(
    ("names", "unique"),
    [
        ([], []),
        (["a.json", "b.json"], ["a.json", "b.json"]),
        (["a.json", "a.json", "A.JSON"], ["a.json", "a (2).json", "A (3).JSON"]),
        (["a", "a"], ["a", "a (2)"]),
        (["a.json", "a (2).json", "a.json"], ["a.json", "a (2).json", "a (3).json"]),
    ],
)
def test_names_are_made_unique(names: list[str], unique: list[str]) -> None:
    assert unique_names(names) == unique
