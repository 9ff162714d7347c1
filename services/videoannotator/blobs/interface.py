"""The interface of a blob store, and the layout of its keys."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Protocol

CHUNK_BYTES = 1024 * 1024  # of reads and writes; one request holds no more than a few of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What a put took in."""

    size_bytes: int
    sha256: str  #: hexadecimal


class BlobStore(Protocol):
    """Bytes under keys. A key is made of fixed words and ids, joined by `/`; see `keys`.

    Every method raises StorageFull, StorageDenied or StorageError when the storage fails.
    """

    async def put(
        self, key: str, chunks: AsyncIterator[bytes], *, max_bytes: int | None = None
    ) -> Stored:
        """Writes `chunks` under `key`, whole or not at all, hashing on the way.

        Raises: TooLarge at the chunk that passes `max_bytes`; nothing is left behind then.
        """
        ...

    async def move(self, source: str, target: str) -> None:
        """Renames. Raises: BlobNotFound."""
        ...

    async def size(self, key: str) -> int:
        """Size in bytes. Raises: BlobNotFound."""
        ...

    def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes [start, end) in chunks. Raises: BlobNotFound, at the first chunk."""
        ...

    async def sha256(self, key: str) -> str:
        """SHA-256 of the bytes, hexadecimal. Raises: BlobNotFound."""
        ...

    async def list(self, prefix: str) -> list[str]:
        """Keys below the folder `prefix`, sorted."""
        ...

    async def older(self, prefix: str, seconds: float, limit: int) -> Sequence[str]:
        """Up to `limit` keys below the folder `prefix` that were last written so long ago."""
        ...

    async def delete_prefix(self, prefix: str) -> int:
        """Deletes all below the folder `prefix`, and the folder, or the one blob of that name.

        Returns the number of blobs; none is no error.
        """
        ...

    async def sweep(self, prefix: str, *, older_than_seconds: float, limit: int) -> int:
        """Deletes up to `limit` blobs below `prefix` that were last written so long ago.

        What broken puts left behind goes in the same way. Returns how many were deleted.
        """
        ...


class SigningBlobStore(BlobStore, Protocol):
    """A blob store that lets others read or write one key, for a while, without a key of its own.

    What is signed is a secret until its time is over: it must not reach a log.
    """

    async def sign_get(self, key: str, seconds: float) -> str:
        """An address at which anybody can read `key` for so long; it need not be there yet."""
        ...

    async def sign_put(self, key: str, seconds: float) -> str:
        """An address at which anybody can write `key`, whole or not at all, for so long."""
        ...
