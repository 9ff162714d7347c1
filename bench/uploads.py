"""Uploading 500 MB: as a form over HTTP, and straight into the storage."""

import asyncio
import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import TypeVar
from uuid import uuid4

from bench import Figure
from bench.services import Service, place, service
from videoannotator.blobs.files import FileBlobs

BYTES = 500_000_000
CHUNK_BYTES = 1 << 20
TRIES = 3
T = TypeVar("T")
HEAD = (
    b'--bench\r\nContent-Disposition: form-data; name="selected_pipelines"\r\n\r\n'
    b'scene_detection\r\n--bench\r\nContent-Disposition: form-data; name="video"; '
    b'filename="long.mp4"\r\nContent-Type: video/mp4\r\n\r\n'
)
TAIL = b"\r\n--bench--\r\n"
SEND = """
import sys
from bench.uploads import send
print(send(int(sys.argv[1]), sys.argv[2]))
"""


def chunks(first: bytes) -> Iterator[bytes]:
    """The video, another one for each `first`."""
    yield first.ljust(CHUNK_BYTES, b"\0")
    block = os.urandom(CHUNK_BYTES)
    for start in range(CHUNK_BYTES, BYTES, CHUNK_BYTES):
        yield block[: BYTES - start]


def send(port: int, token: str) -> float:
    """Uploads as a form over one connection; megabytes a second."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    started = time.perf_counter()
    connection.putrequest("POST", "/api/v1/jobs")
    connection.putheader("Authorization", f"Bearer {token}")
    connection.putheader("Content-Type", "multipart/form-data; boundary=bench")
    connection.putheader("Content-Length", str(len(HEAD) + BYTES + len(TAIL)))
    connection.endheaders(HEAD)
    for chunk in chunks(os.urandom(16)):
        connection.send(chunk)
    connection.send(TAIL)
    answer = connection.getresponse()
    if answer.status != http.HTTPStatus.CREATED:
        raise SystemExit(f"The upload was answered with {answer.status}.")
    answer.read()
    return BYTES / 1e6 / (time.perf_counter() - started)


def forms(api: Service) -> tuple[tuple[float, ...], float]:
    """Megabytes a second of each upload, and by how many the memory of the api grew."""
    before = api.resident_megabytes
    command = [sys.executable, "-c", SEND, str(api.port), api.told["admin_key"]]
    speeds = tuple(float(_settled(lambda: subprocess.check_output(command))) for _ in range(TRIES))
    return speeds, api.peak_megabytes - before


async def put(folder: Path) -> float:
    """Writes and hashes the same into a storage, under a new key as ever; megabytes a second."""

    async def source() -> AsyncIterator[bytes]:
        for chunk in chunks(b"raw"):
            yield chunk

    blobs, key = FileBlobs(folder), f"incoming/{uuid4()}"
    started = time.perf_counter()
    await blobs.put(key, source())
    taken = time.perf_counter() - started
    await blobs.delete_prefix(key)  # its memory serves the next one; fresh memory of a machine lags
    return BYTES / 1e6 / taken


def copy(folder: Path) -> float:
    """`cp` of a file of this size; megabytes a second."""
    original = folder / "original"
    with original.open("wb") as stream:
        stream.writelines(chunks(b"copied"))
    started = time.perf_counter()
    subprocess.run(["/bin/cp", original, folder / "copy"], check=True)
    taken = time.perf_counter() - started
    original.unlink()
    (folder / "copy").unlink()
    return BYTES / 1e6 / taken


def _settled(measured: Callable[[], T]) -> T:
    """What is measured, once nothing of an earlier measurement waits for the disk.

    A put ends with an fsync; without this it would wait for the files that `cp` left unwritten.
    """
    os.sync()
    return measured()


def measure() -> list[Figure]:
    """Megabytes a second beside `cp`, and memory."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        copied = tuple(_settled(lambda: copy(folder)) for _ in range(TRIES))
        raw = tuple(_settled(lambda: asyncio.run(put(folder / "storage"))) for _ in range(TRIES))
    with place("sqlite") as here, service("api", here) as api:
        form, grown = forms(api)
    return [
        Figure(
            what="500 MB into the storage, hashed",
            runs=raw,
            unit="MB/s",
            target=400,
            beside="cp",
            others=copied,
        ),
        Figure(
            what="500 MB as a form",
            runs=form,
            unit="MB/s",
            target=250,
            beside="cp",
            others=copied,
        ),
        Figure(
            what="memory of the api grew by",
            runs=(grown,),
            unit="MB",
            target=64,
            more_is_better=False,
        ),
    ]
