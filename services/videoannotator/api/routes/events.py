"""Server-sent events: what happens to jobs, as it happens; and their logs."""

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from starlette.responses import Response, StreamingResponse

from videoannotator.api.operations.watching import Message
from videoannotator.api.routes.requests import Caller, Use, asks_for_head
from videoannotator.api.schemas import rfc3339

router = APIRouter(prefix="/api/v1", tags=["events"])

STREAM = "text/event-stream"
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # proxies shall not gather
LastId = Annotated[str | None, Header(alias="Last-Event-ID")]


@router.get("/events/stream", response_class=Response)
async def stream(
    request: Request,
    use: Use,
    caller: Caller,
    last_event_id: LastId = None,
    job_id: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """Tells what happens to all jobs that the caller may see, or to one."""
    if job_id:
        return await job_stream(request, job_id, use, caller, last_event_id)
    return _events(request, await use.watching.watch(caller, _number(last_event_id)))


@router.get("/jobs/{job_id}/events", response_class=Response)
async def job_stream(
    request: Request, job_id: str, use: Use, caller: Caller, last_event_id: LastId = None
) -> Response:
    """Tells what happens to a job until it has ended."""
    messages = await use.watching.watch_job(caller, job_id, _number(last_event_id))
    if messages is None:
        return Response(status_code=204)  # an EventSource stops asking then
    return _events(request, messages)


def _number(last_event_id: str | None) -> int | None:
    if last_event_id is None or not last_event_id.isascii() or not last_event_id.isdecimal():
        return None
    return int(last_event_id[:18])


def _events(request: Request, messages: AsyncIterator[Message]) -> Response:
    if asks_for_head(request):
        return Response(media_type=STREAM, headers=HEADERS)
    return StreamingResponse(_lines(messages), media_type=STREAM, headers=HEADERS)


async def _lines(messages: AsyncIterator[Message]) -> AsyncIterator[str]:
    async for message in messages:
        yield line_of(message)


def line_of(message: Message) -> str:
    """A message in the form of the HTML standard."""
    kind = f"event: {message.kind}\n" if message.kind else ""
    number = f"id: {message.id}\n" if message.id is not None else ""
    return f"{kind}{number}data: {json.dumps(message.data, ensure_ascii=False)}\n\n"


@router.get("/jobs/{job_id}/logs")
async def logs(
    job_id: str,
    use: Use,
    caller: Caller,
    after: Annotated[int, Query(ge=0, lt=2**62)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 200,
) -> dict[str, Any]:
    """Lists what the runs of a job logged, oldest first."""
    found = await use.watching.logs(caller, job_id, after, limit)
    lines = [
        {"id": event.id, "timestamp": rfc3339(event.created_at), **event.data}
        for event in found.events
    ]
    return {"job_id": job_id, "logs": lines, "last_id": found.last_id}
