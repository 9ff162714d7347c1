"""Answers without an end, sent from outside of all that decided on them.

A stream lasts for hours. Were it sent by its route, as other answers are, the frames of everything
between server and route would wait with it, and two tasks: most of the memory of a watcher.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

LEFT = "stream_left"  #: where in the state of a request its stream waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What is to be sent when the frames of the route are gone."""

    items: AsyncGenerator[Any]
    written: Callable[[Any], bytes]  #: the bytes of an item


class Streaming(StreamingResponse):
    """Sends its head; what follows is left to `send_left`, outside of all middleware."""

    def __init__(self, left: Left, media_type: str, headers: Mapping[str, str]) -> None:
        """Nothing is asked of `left` yet."""
        super().__init__(left.items, media_type=media_type, headers=headers)
        self._left = left

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Begins the answer, and leaves it open."""
        head = {"status": self.status_code, "headers": self.raw_headers}
        await send({"type": "http.response.start", **head})
        scope["state"][LEFT] = self._left


async def send_left(scope: Scope, receive: Receive, send: Send) -> None:
    """Sends the stream that a route left, if it did, to its end or until its reader has gone."""
    left = scope["state"].pop(LEFT, None)
    if left is None:
        return
    for name in [name for name in scope if name.startswith("fastapi")]:
        del scope[name]  # stacks of what the route has left already
    until_gone = asyncio.timeout(None)
    with suppress(TimeoutError):
        async with until_gone:
            leaving = asyncio.create_task(_leave(receive, until_gone))
            try:
                await _send(left, send)
            finally:
                leaving.cancel()


async def _send(left: Left, send: Send) -> None:
    async with aclosing(left.items):
        async for item in left.items:
            body = left.written(item)
            await send({"type": "http.response.body", "body": body, "more_body": True})
            del item, body  # a stream waits for long; nothing that was told waits with it
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _leave(receive: Receive, until_gone: asyncio.Timeout) -> None:
    """Ends the stream when its reader has gone: writing to a closed connection tells nothing."""
    while (await receive())["type"] != "http.disconnect":
        pass
    until_gone.reschedule(0)
