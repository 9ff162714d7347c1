"""A ZIP of stored members, written while it is sent: its size is known before its first byte.

Members are not compressed: videos and pictures cannot be, and so nothing is held in memory or on
disk. The CRC follows each member in a data descriptor. Layout: PKWARE APPNOTE 6.3.10.
"""

import struct
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from videoannotator.domain.errors import StorageError

MEDIA_TYPE = "application/zip"

_LIMIT_32 = 0xFFFFFFFF  # from here on a number stands in the ZIP64 record
_LIMIT_16 = 0xFFFF
_VERSION_ZIP64 = 45
_MADE_BY_UNIX = 3 << 8
_FLAGS = 0x0808  # sizes and CRC follow the data; names are UTF-8
_FILE_MODE = 0o100644 << 16
_EARLIEST = datetime(1980, 1, 1, tzinfo=UTC)  # what a ZIP can tell

_LOCAL = struct.Struct("<4s5H3L2H")
_DESCRIPTOR = struct.Struct("<4sL2L")
_DESCRIPTOR_64 = struct.Struct("<4sL2Q")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_EXTRA_64 = struct.Struct("<2H3Q")
_LOCAL_EXTRA_64 = struct.Struct("<2H2Q")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_END = struct.Struct("<4s4H2LH")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZipMember:
    """A file that goes into the ZIP."""

    name: str  #: safe already; see `names`
    size: int  #: bytes
    open: Callable[[], AsyncIterator[bytes]]  #: begins to read it; gives exactly `size` bytes
    modified_at: datetime = _EARLIEST


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    member: ZipMember
    offset: int
    crc: int = 0


class ZipStream:
    """The ZIP of some members. Each time it is iterated it reads them anew."""

    def __init__(self, members: Iterable[ZipMember]) -> None:
        """Plans the layout; opens nothing yet."""
        self._placed, self._start = _place(members)

    @property
    def size(self) -> int:
        """Bytes of the whole ZIP: the Content-Length."""
        directory = sum(len(_central(each)) for each in self._placed)
        return self._start + directory + len(_end(len(self._placed), self._start, directory))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes of the ZIP, in order.

        Raises: StorageError when a member gives another number of bytes than it said; what was
        sent is then no valid ZIP, and shorter than promised.
        """
        sent: list[_Placed] = []
        for each in self._placed:
            yield _local(each.member)
            crc = Crc()
            async with aclosing(_exactly(each.member)) as chunks:
                async for chunk in chunks:
                    crc.add(chunk)
                    yield chunk
            yield _descriptor(each.member, crc.value)
            sent.append(replace(each, crc=crc.value))
        directory = b"".join(map(_central, sent))
        yield directory + _end(len(sent), self._start, len(directory))


class Crc:
    """CRC-32 of bytes as they come."""

    value = 0

    def add(self, chunk: bytes) -> None:
        """Takes the next bytes."""
        self.value = zlib.crc32(chunk, self.value)


async def _exactly(member: ZipMember) -> AsyncGenerator[bytes, None]:
    """The bytes of a member. Raises: StorageError when they are more or fewer than it said."""
    left, chunks = member.size, member.open()
    try:
        async for chunk in chunks:
            left -= len(chunk)
            if left < 0:
                break
            yield chunk
    finally:
        # A file is not left open when a client goes away.
        if isinstance(chunks, AsyncGenerator):
            await chunks.aclose()
    if left:
        raise StorageError(f"{member.name} changed its size while it was sent.")


def unique_names(names: Sequence[str]) -> list[str]:
    """The same names, later ones of equal name numbered: `a.json`, `a (2).json`.

    Equal without regard to case, because some file systems hold it so.
    """
    taken: set[str] = set()
    unique = []
    for name in names:
        stem, dot, extension = name.rpartition(".")
        number, candidate = 1, name
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{stem} ({number}){dot}{extension}" if dot else f"{name} ({number})"
        taken.add(candidate.casefold())
        unique.append(candidate)
    return unique


def _place(members: Iterable[ZipMember]) -> tuple[list[_Placed], int]:
    """Where each member begins, and where the directory does."""
    placed, offset = [], 0
    for member in members:
        placed.append(_Placed(member=member, offset=offset))
        offset += len(_local(member)) + member.size + len(_descriptor(member, 0))
    return placed, offset


def _is_large(member: ZipMember) -> bool:
    return member.size >= _LIMIT_32


def _local(member: ZipMember) -> bytes:
    name = member.name.encode()
    date, time = _dos_time(member.modified_at)
    # A descriptor with 8-byte sizes is announced by this extra field.
    extra = _LOCAL_EXTRA_64.pack(1, 16, 0, 0) if _is_large(member) else b""
    size = _LIMIT_32 if _is_large(member) else 0
    head = _LOCAL.pack(
        b"PK\3\4", _version(member), _FLAGS, 0, time, date, 0, size, size, len(name), len(extra)
    )
    return head + name + extra


def _descriptor(member: ZipMember, crc: int) -> bytes:
    layout = _DESCRIPTOR_64 if _is_large(member) else _DESCRIPTOR
    return layout.pack(b"PK\7\10", crc, member.size, member.size)


def _central(placed: _Placed) -> bytes:
    member, name = placed.member, placed.member.name.encode()
    date, time = _dos_time(member.modified_at)
    far = _is_large(member) or placed.offset >= _LIMIT_32
    extra = b""
    size, offset = member.size, placed.offset
    if far:
        extra = _EXTRA_64.pack(1, 24, size, size, offset)
        size = offset = _LIMIT_32
    made_by = _MADE_BY_UNIX | _VERSION_ZIP64
    version = _VERSION_ZIP64 if far else _version(member)
    head = _CENTRAL.pack(
        b"PK\1\2", made_by, version, _FLAGS, 0, time, date, placed.crc, size, size,
        len(name), len(extra), 0, 0, 0, _FILE_MODE, offset,
    )  # fmt: skip
    return head + name + extra


def _end(count: int, start: int, directory: int) -> bytes:
    """The end record, after the ZIP64 one where a number is too large for it."""
    numbers = (min(count, _LIMIT_16),) * 2
    record = _END.pack(
        b"PK\5\6", 0, 0, *numbers, min(directory, _LIMIT_32), min(start, _LIMIT_32), 0
    )
    if count < _LIMIT_16 and directory < _LIMIT_32 and start < _LIMIT_32:
        return record
    made_by = _MADE_BY_UNIX | _VERSION_ZIP64
    large = _END_64.pack(
        b"PK\6\6", _END_64.size - 12, made_by, _VERSION_ZIP64, 0, 0, count, count, directory, start
    )
    return large + _LOCATOR_64.pack(b"PK\6\7", 0, start + directory, 1) + record


def _version(member: ZipMember) -> int:
    return _VERSION_ZIP64 if _is_large(member) else 20


def _dos_time(moment: datetime) -> tuple[int, int]:
    """Date and time as ZIP tells them: UTC, two-second steps, 1980 to 2107."""
    at = max(moment.astimezone(UTC), _EARLIEST)
    year = min(at.year, 2107) - 1980
    return (year << 9) | (at.month << 5) | at.day, (at.hour << 11) | (at.minute << 5) | (
        at.second // 2
    )
