"""The steps of an upload, at any of which the api can die: see steps.py."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Any

from tests.fakes.steps import Steps, around
from videoannotator.api import middleware
from videoannotator.blobs.files import FileBlobs
from videoannotator.store import submitting
from videoannotator.store.engine import Database
from videoannotator.store.jobs import Jobs
from videoannotator.store.videos import Videos

_doing: ContextVar[str] = ContextVar("_doing", default="")


def wrap_uploads(steps: Steps) -> None:
    """Wraps everything by which a submission has an effect: bytes, rows, the answer."""
    _wrap_put(steps)
    around(steps, FileBlobs, "move", lambda *_: "move")
    around(steps, FileBlobs, "delete_prefix", lambda key: f"delete {key.split('/')[0]}")
    for owner, name in (
        (Jobs, "submit"),
        (Videos, "drop_unused"),
        (Videos, "forget"),
    ):
        _named(owner, name)
        around(steps, owner, name, lambda *_, words=name: words)
    _wrap_commits(steps)
    _wrap_answer(steps)


def _wrap_put(steps: Steps) -> None:
    original = FileBlobs.put

    async def put(self: FileBlobs, key: str, chunks: AsyncIterator[bytes], **named: Any) -> Any:
        async def watched() -> AsyncIterator[bytes]:
            async for chunk in chunks:
                await steps.reach("bytes come")
                yield chunk
            await steps.reach("all bytes are here")

        await steps.reach("before put")
        stored = await original(self, key, watched(), **named)
        await steps.reach("after put")
        return stored

    FileBlobs.put = put  # type: ignore[method-assign]


def _named(owner: Any, name: str) -> None:
    """What is done inside is known by this name."""
    original = getattr(owner, name)

    async def naming(*arguments: Any, **named: Any) -> Any:
        token = _doing.set(name)
        try:
            return await original(*arguments, **named)
        finally:
            _doing.reset(token)

    setattr(owner, name, naming)


def _wrap_commits(steps: Steps) -> None:
    original = Database.writing

    @asynccontextmanager
    async def writing(self: Database) -> AsyncIterator[Any]:
        async with original(self) as connection:
            yield connection
            if _doing.get():
                steps.strike(f"about to commit {_doing.get()}")

    Database.writing = writing  # type: ignore[assignment, method-assign]
    last = submitting.commit_with

    async def commit_with(*given: Any) -> None:
        steps.strike("about to write and commit a submission")
        await last(*given)

    submitting.commit_with = commit_with  # type: ignore[attr-defined]


def _wrap_answer(steps: Steps) -> None:
    original = middleware._Seen.send

    async def send(self: Any, message: Any) -> None:
        if message["type"] == "http.response.start" and message["status"] == 201:
            await steps.reach("before the answer")
        await original(self, message)

    middleware._Seen.send = send  # type: ignore[method-assign]
