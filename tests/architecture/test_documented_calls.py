"""The calls of the gRPC guide, made in its order to a real server."""

import asyncio
import json
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from tests.architecture.source import ROOT
from tests.architecture.test_docs import CALLS, commands
from tests.fakes import grpcurl
from tests.fakes.api_site import ApiSite, migrated, open_site
from tests.fakes.faces import secret_of
from videoannotator.api.grpc_server import PublicServer
from videoannotator.store.access import Access

PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PAGE = (ROOT / CALLS).read_text(encoding="utf-8")
ADDRESS = "localhost:50051"


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[ApiSite]:
    """A site with nothing in it."""
    async with open_site(tmp_path / "site", migrated(tmp_path)) as site:
        yield site


@pytest.fixture
async def address(site: ApiSite) -> AsyncIterator[str]:
    """Of its gRPC server."""
    server = PublicServer(site.operations, Access(site.database), site.settings, site.blobs)
    yield f"localhost:{await server.start('localhost:0', None)}"
    await server.stop(0)


async def by_reflection(command: str) -> list[Any]:
    """What our own few lines make of a command."""
    return await asyncio.to_thread(grpcurl.run, grpcurl.parsed(command))


async def by_grpcurl(command: str) -> list[Any]:
    """What grpcurl itself makes of it."""
    process = await asyncio.create_subprocess_shell(
        command, stdout=asyncio.subprocess.PIPE, env={"PATH": os.environ["PATH"]}
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, command
    text = told.decode()
    if " list" in command:
        return text.split()
    decoder, found = json.JSONDecoder(), []
    while text := text.strip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


RUNNERS = [
    by_reflection,
    pytest.param(
        by_grpcurl,
        marks=pytest.mark.skipif(shutil.which("grpcurl") is None, reason="grpcurl is not here"),
    ),
]


@pytest.mark.parametrize("run", RUNNERS)
async def test_the_calls_of_the_guide_work(
    site: ApiSite, address: str, run: Callable[[str], Any]
) -> None:
    stored = await site.admin.post("/api/v1/jobs", files={"video": ("clip.mp4", b"x")})
    words = {"TOKEN": secret_of(site.admin) or "", "VIDEO": stored.json()["video_id"]}
    made: dict[str, list[Any]] = {}
    for command in commands(PAGE):
        if not command.startswith("grpcurl"):
            continue
        filled = command.replace(ADDRESS, address)
        for name, value in words.items():
            filled = filled.replace(f"'${name}'", value).replace(f"${name}", value)
        assert "$" not in filled, f"{command}: nothing said what this is"
        method = command.split()[-1]
        if method.endswith("/WatchJob") and method not in made:
            await site.finish(words["JOB"])
        if method.endswith("/CancelJob"):  # the one that is watched has ended
            words["JOB"] = stored.json()["id"]
            filled = re.sub(r'"job_id": "[^"]*"', f'"job_id": "{words["JOB"]}"', filled)
        answer = made.setdefault(method, await run(filled))
        if method.endswith("/SubmitJob"):
            words["JOB"] = answer[0]["job"]["id"]
        if method.endswith("/ListArtifacts"):
            words["ARTIFACT"] = answer[0]["artifacts"][0]["id"]

    told = {method.rpartition("/")[2]: answer for method, answer in made.items()}
    assert len(told) >= 13
    assert told["WatchJob"][-1]["kind"] == "EVENT_KIND_COMPLETE"
    assert told["CancelJob"][0]["job"]["status"] == "JOB_STATE_CANCELLING"
    assert told["Check"] == [{"status": "SERVING"}]
    assert told["ValidateParameters"][0]["valid"] is True
    assert told["ReadArtifact"][0]["header"]["public_name"] == "clip_scene_detection.json"
    jobs = (await site.admin.get("/api/v1/jobs")).json()["jobs"]
    assert stored.json()["id"] not in [job["id"] for job in jobs]


async def test_a_call_that_is_refused_does_not_pass(address: str) -> None:
    command = f"grpcurl -plaintext {address} videoannotator.v1.JobService/ListJobs"

    with pytest.raises(grpc.RpcError) as caught:
        await by_reflection(command)

    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED  # type: ignore[attr-defined]


async def test_the_python_of_the_guide_works(
    site: ApiSite, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clip.mp4").write_bytes(b"x" * 3_000_000)
    (program,) = PYTHON.findall(PAGE)
    program = program.replace(ADDRESS, address).replace("va_…", secret_of(site.admin) or "")
    names: dict[str, Any] = {}

    async def work() -> None:
        while "job" not in names:  # noqa: ASYNC110 - the program tells nobody
            await asyncio.sleep(0.01)
        await site.finish(names["job"].id, b'{"scenes": [1]}')

    async with asyncio.timeout(60):
        await asyncio.gather(asyncio.to_thread(exec, program, names), work())

    assert (tmp_path / "clip_scene_detection.json").read_bytes() == b'{"scenes": [1]}'
    assert (await site.rows(names["job"].id)).video.size_bytes == 3_000_000
