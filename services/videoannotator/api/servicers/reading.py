"""ReadArtifact: which bytes of a file are asked for, and the bytes."""

from collections.abc import AsyncGenerator

from videoannotator.api.operations.results import Download
from videoannotator.blobs.interface import BlobStore
from videoannotator.domain.errors import InvalidRequest, ManifestInvalid
from videoannotator.v1 import job_pb2


def part_of(request: job_pb2.ReadArtifactRequest, file: Download) -> tuple[int, int]:
    """The bytes [start, end) that are asked for. Raises: InvalidRequest."""
    start, length = request.offset_bytes, request.length_bytes
    if not 0 <= start <= file.size_bytes:
        raise InvalidRequest(
            f"The file has {file.size_bytes} bytes; it cannot be read from byte {start}.",
            hint="Begin at 0, or where an earlier read ended.",
            field="offset_bytes",
        )
    if length < 0:
        raise InvalidRequest(
            "A length is not negative.",
            hint="Leave it out to read to the end.",
            field="length_bytes",
        )
    return start, min(start + length, file.size_bytes) if length else file.size_bytes


def header_of(file: Download) -> job_pb2.ArtifactHeader:
    """What the file is."""
    return job_pb2.ArtifactHeader(
        public_name=file.name,
        media_type=file.media_type,
        size_bytes=file.size_bytes,
        sha256=file.sha256,
    )


async def chunks_of(
    blobs: BlobStore, key: str, start: int, end: int
) -> AsyncGenerator[bytes, None]:
    """The bytes [start, end) of a stored file, all of them. Raises: ManifestInvalid."""
    left = end - start
    if not left:
        return
    async for chunk in blobs.read(key, start, end):
        left -= len(chunk)
        yield chunk
    if left:
        raise ManifestInvalid(
            "The stored file is shorter than its manifest says.",
            hint="Do not use what has come of it; tell the operator.",
        )
