"""Server-sent events: what happens to jobs, as it happens; and their logs."""

import json
from collections.abc import AsyncGenerator
from functools import lru_cache
from typing import Annotated

from fastapi import Header, Query, Request
from starlette.responses import Response

from videoannotator.api.answers import Responses, answers
from videoannotator.api.bodies.jobs import LogLineBody, LogsBody
from videoannotator.api.operations.watching import MOST_SHARED, Message
from videoannotator.api.routes.documented import JobId
from videoannotator.api.routes.requests import Caller, Use, asks_for_head
from videoannotator.api.routes.routing import router_for
from videoannotator.api.streaming import Left, Streaming
from videoannotator.domain.errors import JobNotFound

router = router_for("events", "/api/v1")

STREAM = "text/event-stream"
AFTER = "Lines after the one with this `id`; 0: from the beginning."
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # proxies shall not gather
LAST_ID = "The last `id` that the caller has; what happened since then comes first."
ONE_JOB = "Of this job alone; the stream ends with it."
LastId = Annotated[
    str | None, Header(alias="Last-Event-ID", description=LAST_ID, examples=["1042"])
]
FORM_OF_EVENTS = """\
Events in the form of the HTML standard.

`event` is job.update, job.log, job.complete, job.error or job.cancelled. `id` is what to send as
Last-Event-ID after a break. `data` is JSON: the state of the job in full, or a line of its log.
Without `event` it is about the stream itself: `{"type": "connected"}` first, and every 15 s without
news `{"type": "heartbeat"}`.
"""
EXAMPLE = """\
event: job.update
id: 1042
data: {"job_id": "4f1c0d9e6f7a4f0f9d6c2a1b3c4d5e6f", "status": "running", "progress": 0.4}

"""
EVENTS: Responses = {
    200: {
        "description": FORM_OF_EVENTS,
        "content": {STREAM: {"schema": {"type": "string"}, "example": EXAMPLE}},
    }
}
NOTHING = {"description": "The job has ended and its last event was told: do not ask again."}


@router.get(
    "/events/stream",
    response_class=Response,
    responses={**EVENTS, 204: NOTHING, **answers(JobNotFound)},
)
async def watch_events(
    request: Request,
    use: Use,
    caller: Caller,
    last_event_id: LastId = None,
    job_id: Annotated[str | None, Query(max_length=64, description=ONE_JOB)] = None,
) -> Response:
    """Tells what happens to all jobs that the caller may see, or to one, without an end."""
    if job_id:
        return await watch_job(request, job_id, use, caller, last_event_id)
    return _events(request, await use.watching.watch(caller, _number(last_event_id)))


@router.get(
    "/jobs/{job_id}/events",
    response_class=Response,
    responses={**EVENTS, 204: NOTHING, **answers(JobNotFound)},
)
async def watch_job(
    request: Request, job_id: JobId, use: Use, caller: Caller, last_event_id: LastId = None
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


def _events(request: Request, messages: AsyncGenerator[Message]) -> Response:
    if asks_for_head(request):
        return Response(media_type=STREAM, headers=HEADERS)
    return Streaming(Left(items=messages, written=lines_of), STREAM, HEADERS)


@lru_cache(maxsize=MOST_SHARED)
def lines_of(message: Message) -> bytes:
    """A message in the form of the HTML standard; made once for all who are told it."""
    kind = f"event: {message.kind}\n" if message.kind else ""
    number = f"id: {message.id}\n" if message.id is not None else ""
    data = json.dumps(message.data, ensure_ascii=False)
    return f"{kind}{number}data: {data}\n\n".encode()


@router.get(
    "/jobs/{job_id}/logs", response_description="The lines.", responses=answers(JobNotFound)
)
async def list_log_lines(
    job_id: JobId,
    use: Use,
    caller: Caller,
    after: Annotated[int, Query(ge=0, lt=2**62, description=AFTER)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000, description="Most lines.")] = 200,
) -> LogsBody:
    """Lists what the runs of a job logged, oldest first."""
    found = await use.watching.logs(caller, job_id, after, limit)
    lines = [
        LogLineBody(id=event.id, timestamp=event.created_at, **event.data) for event in found.events
    ]
    return LogsBody(job_id=job_id, logs=lines, last_id=found.last_id)
