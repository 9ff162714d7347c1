"""Schemathesis against a real server: requests made from the OpenAPI document, and their chains."""

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from fastapi import FastAPI

ROOT = Path(__file__).resolve().parents[2]
#: They end when a job does: tests of their own read them.
STREAMS = ("watch_events", "watch_events_head", "watch_job", "watch_job_head")
COUNT = re.compile(r"(\d+) generated")
#: What is well formed may still be refused: a job has no results yet, or is not the caller's.
CONFIGURATION = """\
[checks]
positive_data_acceptance.enabled = false
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 409, 413, 415, 422, 429]
"""


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    """The application on a socket of this machine; gives its address."""
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off", access_log=False)
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        assert not serving.done(), "the server did not start"
        await asyncio.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration:
    """What is asked for."""

    address: str
    key: str | None
    seed: int
    examples: int  #: most cases of each operation in each phase
    phases: str
    folder: Path  #: for the report
    options: tuple[str, ...] = ()
    key_id: str = ""  #: of the key, which is not to be ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What came of it."""

    exit_status: int
    output: str

    @property
    def cases(self) -> int:
        """How many requests were made up."""
        return sum(int(count) for count in COUNT.findall(self.output))

    @property
    def failures(self) -> str:
        """What was found, short enough to read."""
        _, _, told = self.output.partition("= FAILURES =")
        return "\n".join(line[:400] for line in (told or self.output).splitlines())


async def explore(wanted: Exploration) -> Found:
    """Runs Schemathesis as a process of its own."""
    process = await asyncio.create_subprocess_exec(
        *_command(wanted),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={
            **os.environ,
            "SCHEMATHESIS_HOOKS": "tests.fakes.explorer_hooks",
            "PYTHONPATH": str(ROOT),
            "EXPLORER_KEY_ID": wanted.key_id,
        },
        cwd=wanted.folder,
    )
    output, _ = await process.communicate()
    return Found(exit_status=process.returncode or 0, output=output.decode(errors="replace"))


def _command(wanted: Exploration) -> list[str]:
    configuration = wanted.folder / "schemathesis.toml"
    configuration.write_text(CONFIGURATION, encoding="utf-8")
    key = [f"--header=Authorization:Bearer {wanted.key}"] if wanted.key else []
    return [
        *(sys.executable, "-m", "schemathesis.cli", f"--config-file={configuration}", "run"),
        f"{wanted.address}/openapi.json",
        f"--phases={wanted.phases}",
        f"--max-examples={wanted.examples}",
        f"--seed={wanted.seed}",
        "--continue-on-failure",
        "--suppress-health-check=all",
        "--warnings=off",
        "--request-timeout=30",
        *(f"--exclude-operation-id={stream}" for stream in STREAMS),
        *key,
        *wanted.options,
    ]
