"""Blobs in a bucket of an S3 server.

A put is one request, or an upload in parts that appears when it is complete. The upload that a
killed process leaves unfinished is not seen by anybody; a lifecycle rule of the bucket removes it.
"""

import asyncio
import hashlib
import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import AbstractContextManager, aclosing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import obstore
from obstore import exceptions as faults
from obstore.store import S3Store

from videoannotator.blobs import keys
from videoannotator.blobs.interface import CHUNK_BYTES, Stored
from videoannotator.blobs.taking import Pipe, Taking
from videoannotator.domain.errors import BlobNotFound, StorageDenied, StorageError, StorageFull
from videoannotator.settings import StorageSettings

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from obstore.store import S3Config, S3Credential

MIB = 1024 * 1024
PART_BYTES = 8 * MIB  # of an upload in parts; a smaller one goes in one request
MOST_PARTS = 10_000  # in one upload, says S3
PARTS_AT_ONCE = 3  # so that an upload holds some 40 MiB
RANGE_BYTES = 4 * MIB  # of one reading request: a slow reader holds no connection
LARGEST_COPY_BYTES = 5 * 1024 * MIB  # by one request, says S3
LIST_AT_ONCE = 1000  # keys in one answer, says S3

#: Every request ends: at once when nobody answers, a little later when an answer stalls. Of a copy,
#: and of an upload whose parts are joined, some servers say nothing before it is done.
CONNECT_SECONDS, STALL_SECONDS, SILENCE_SECONDS, REQUEST_SECONDS = 5, 60, 600, 900
RETRIES, RETRY_SECONDS = 5, 60

#: Of a failed listing, and of some servers' answers, the library knows the text alone.
STATUS = re.compile(r"status code: (?P<status>\d{3})")
FULL = re.compile(r"\b507\b|InsufficientStorage|StorageFull|QuotaExceeded|QuotaLimit")
DENIED_HINT = "The operator must check the access key and the rules of the bucket."
FAILED_HINT = "Try again in a moment; the operator must check the S3 server and its address."
GONE_HINT = "The operator must make the bucket, or mend the storage's url."


Keys = list[str]  # inside the class `list` is the method


class S3Blobs:
    """A blob store in a bucket. Requests are repeated when the server fails for a moment."""

    def __init__(self, storage: StorageSettings) -> None:
        """Nothing is asked of the server before the first use."""
        self._store = _opened(storage, STALL_SECONDS)
        self._patient = _opened(storage, SILENCE_SECONDS)

    async def put(
        self, key: str, chunks: AsyncIterator[bytes], *, max_bytes: int | None = None
    ) -> Stored:
        """Writes `chunks` under `key`, whole or not at all, hashing on the way.

        Raises: TooLarge at the chunk that passes `max_bytes`; nothing is left behind then.
        """
        keys.parts_of(key)
        taking = Taking(chunks, max_bytes)
        first = await taking.batch(PART_BYTES + 1)
        if taking.ended:
            with _writing():
                await obstore.put_async(self._store, key, first, use_multipart=False)
        else:
            await self._put_in_parts(key, first, taking, part_bytes(max_bytes))
        return taking.stored

    async def _put_in_parts(self, key: str, first: bytes, taking: Taking, each_bytes: int) -> None:
        pipe = Pipe()
        sending = asyncio.ensure_future(
            obstore.put_async(
                self._patient,
                key,
                pipe,
                use_multipart=True,
                chunk_size=each_bytes,
                max_concurrency=PARTS_AT_ONCE,
            )
        )
        with _writing():
            await pipe.feed(first, taking, sending)

    async def move(self, source: str, target: str) -> None:
        """Copies and deletes: S3 cannot rename. Raises: BlobNotFound."""
        keys.parts_of(target)
        found = await self._head(source)
        if found["size"] > LARGEST_COPY_BYTES:
            await self.put(target, self.read(source))
        else:
            with _errors():
                await obstore.copy_async(self._patient, source, target)
        await self._delete([source])

    async def size(self, key: str) -> int:
        """Size in bytes. Raises: BlobNotFound."""
        return (await self._head(key))["size"]

    async def _head(self, key: str) -> "ObjectMeta":
        keys.parts_of(key)
        with _errors():
            return await obstore.head_async(self._store, key)

    async def read(self, key: str, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """The bytes [start, end) in chunks. Raises: BlobNotFound, at the first chunk."""
        found = await self._head(key)
        last = found["size"] if end is None else min(end, found["size"])
        for first in range(start, last, RANGE_BYTES):
            part = memoryview(await self._range(found, first, min(first + RANGE_BYTES, last)))
            for at in range(0, len(part), CHUNK_BYTES):
                yield bytes(part[at : at + CHUNK_BYTES])

    async def _range(self, found: "ObjectMeta", first: int, end: int) -> bytes:
        """Raises: StorageError also when the blob was replaced since it was `found`."""
        with _errors():
            got = await obstore.get_async(
                self._store,
                found["path"],
                options={"range": (first, end), "if_match": found["e_tag"]},
            )
            return bytes(await got.bytes_async())

    async def sha256(self, key: str) -> str:
        """SHA-256 of the bytes, hexadecimal. Raises: BlobNotFound."""
        digest = hashlib.sha256()
        async for chunk in self.read(key):
            digest.update(chunk)
        return digest.hexdigest()

    async def list(self, prefix: str) -> list[str]:
        """Keys below the folder `prefix`, sorted; an empty prefix means all."""
        return sorted([found["path"] async for found in self._below(prefix)])

    async def _below(self, prefix: str) -> "AsyncGenerator[ObjectMeta, None]":
        if prefix:
            keys.parts_of(prefix)
        with _writing():
            listed = obstore.list(self._store, prefix or None, chunk_size=LIST_AT_ONCE)
            async for batch in listed:
                for found in batch:
                    yield found

    async def older(self, prefix: str, seconds: float, limit: int) -> Sequence[str]:
        """Up to `limit` keys below the folder `prefix` that were last written so long ago."""
        before = datetime.now(UTC) - timedelta(seconds=seconds)
        old: Keys = []
        async with aclosing(self._below(prefix)) as listed:
            async for found in listed:
                if len(old) == limit:
                    break
                if found["last_modified"] < before:
                    old.append(found["path"])
        return old

    async def delete_prefix(self, prefix: str) -> int:
        """Deletes all below the folder `prefix`, or the one blob of that name.

        Returns the number of blobs; none is no error.
        """
        keys.parts_of(prefix)
        doomed = await self.list(prefix)
        with suppress(BlobNotFound):  # mostly a folder
            doomed.append((await self._head(prefix))["path"])
        await self._delete(doomed)
        return len(doomed)

    async def _delete(self, doomed: Sequence[str]) -> None:
        if not doomed:
            return
        try:
            with _errors():
                await obstore.delete_async(self._store, doomed)
        except BlobNotFound:  # some servers tell of one that another process deleted just now
            for key in doomed:
                with suppress(BlobNotFound), _errors():
                    await obstore.delete_async(self._store, [key])

    async def sweep(self, prefix: str, *, older_than_seconds: float, limit: int) -> int:
        """Deletes up to `limit` blobs below `prefix` that were last written so long ago.

        Returns how many were deleted. Unfinished uploads are the bucket's own to remove.
        """
        old = await self.older(prefix, older_than_seconds, limit)
        await self._delete(old)
        return len(old)

    async def sign_get(self, key: str, seconds: float) -> str:
        """An address at which anybody can read `key` for so long; it need not be there yet."""
        keys.parts_of(key)
        with _errors():
            return await obstore.sign_async(self._store, "GET", key, timedelta(seconds=seconds))

    async def sign_put(self, key: str, seconds: float) -> str:
        """An address at which anybody can write `key`, whole or not at all, for so long."""
        keys.parts_of(key)
        with _errors():
            return await obstore.sign_async(self._store, "PUT", key, timedelta(seconds=seconds))


def part_bytes(max_bytes: int | None) -> int:
    """Size of the parts of an upload of at most `max_bytes`."""
    least = -(-(max_bytes or 0) // MOST_PARTS)
    return max(PART_BYTES, -(-least // MIB) * MIB)


def _opened(storage: StorageSettings, stall_seconds: int) -> S3Store:
    config: S3Config = {"region": storage.region}
    if storage.endpoint:
        config["endpoint"] = storage.endpoint
    return S3Store(
        storage.bucket,
        prefix=storage.prefix or None,
        config=config,
        credential_provider=_given_keys(storage),
        client_options={
            "allow_http": storage.endpoint.startswith("http://"),
            "connect_timeout": f"{CONNECT_SECONDS}s",
            "read_timeout": f"{stall_seconds}s",
            "timeout": f"{REQUEST_SECONDS}s",
        },
        retry_config={
            "max_retries": RETRIES,
            "retry_timeout": timedelta(seconds=RETRY_SECONDS),
        },
    )


def _given_keys(storage: StorageSettings) -> "Callable[[], S3Credential] | None":
    """Gives the keys of the settings; None: the library finds what AWS gave this machine or pod.

    Given otherwise they would be mixed with variables of AWS that happen to be around.
    """
    if not storage.access_key_id.get_secret_value():
        return None
    given: S3Credential = {
        "access_key_id": storage.access_key_id.get_secret_value(),
        "secret_access_key": storage.secret_access_key.get_secret_value(),
        "expires_at": None,
    }
    return lambda: given


@contextmanager
def _errors(missing: StorageError | None = None) -> Iterator[None]:
    """Turns what the library says into our errors, without addresses.

    `missing` is what to raise for something that is not there.
    """
    try:
        yield
    except FileNotFoundError as error:
        raise missing or BlobNotFound() from error
    except (faults.PermissionDeniedError, faults.UnauthenticatedError) as error:
        raise StorageDenied(hint=DENIED_HINT) from error
    except faults.BaseError as error:
        raise meaning(str(error), missing or BlobNotFound()) from error


def meaning(text: str, missing: StorageError) -> StorageError:
    """What a failure means that the library knows no better word for."""
    found = STATUS.search(text)
    status = found["status"] if found else ""
    if FULL.search(text):
        return StorageFull()
    if status == "404" or "NoSuchKey" in text:
        return missing
    if status in ("401", "403"):
        return StorageDenied(hint=DENIED_HINT)
    return StorageError("The storage server failed.", hint=FAILED_HINT)


def _writing() -> AbstractContextManager[None]:
    """As `_errors`, where only the bucket itself can be missing."""
    return _errors(StorageError("The bucket is not there.", hint=GONE_HINT))
