"""A worker that listens on TCP with certificates, as the process that a launcher starts."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.fakes.certificates import Authority
from tests.fakes.worker_process import PATIENCE_SECONDS, PLUGINS, TOKEN, WORKER_ID
from videoannotator.domain.errors import WorkerUnreachable
from videoannotator.rpc.certificates import Certificates
from videoannotator.rpc.tokens import sha256_hex
from videoannotator.rpc.worker import WorkerClient

NAME = "workers.site"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of the whole site, for one name."""
    authority_folder = tmp_path_factory.mktemp("certificates")
    authority = Authority(authority_folder / "authority")
    return authority.sign(authority_folder / "ours", f"DNS:{NAME}")


@asynccontextmanager
async def worker(folder: Path) -> AsyncIterator[str]:
    """A worker that listens on a port of its own; its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {
        "PYTHONPATH": os.pathsep.join([*sys.path, str(PLUGINS)]),
        "VIDEOANNOTATOR_WORKER_ID": WORKER_ID,
        "VIDEOANNOTATOR_WORKER_TOKEN_SHA256": sha256_hex(TOKEN),
        "VIDEOANNOTATOR_WORKER_LISTEN": f"127.0.0.1:{port}",
        "VIDEOANNOTATOR_RPC__CERTIFICATE_FOLDER": str(folder),
    }
    words = [sys.executable, "-m", "videoannotator.inference", "journal"]
    process = await asyncio.create_subprocess_exec(
        *words, env={**os.environ, **environment}, stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        await process.wait()


async def described(client: WorkerClient) -> str:
    """The id of the worker that answers, once it does."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            try:
                return (await client.describe(1, 2.0)).worker_id
            except WorkerUnreachable:
                await asyncio.sleep(0.05)


async def test_it_is_called_by_who_knows_the_name_of_its_certificate_and_nobody_in_the_clear(
    folder: Path,
) -> None:
    async with worker(folder) as address:
        ours = WorkerClient(address, TOKEN, certificates=Certificates(folder, NAME))
        nameless = WorkerClient(address, TOKEN, certificates=Certificates(folder))
        plain = WorkerClient(address, TOKEN)

        answered = await described(ours)
        for client in (nameless, plain):
            with pytest.raises(WorkerUnreachable):
                await client.describe(1, 1.0)

        for client in (ours, nameless, plain):
            await client.close()
    assert answered == WORKER_ID
