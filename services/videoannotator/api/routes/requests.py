"""What routes take from a request, and how they answer it."""

import hashlib
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Depends, Request
from pydantic import BaseModel
from starlette.responses import Response

from videoannotator.api.auth import principal_of
from videoannotator.api.operations.assembly import Operations
from videoannotator.domain.access import Principal


def operations_of(request: Request) -> Operations:
    """The use cases."""
    operations: Operations = request.app.state.operations
    return operations


def caller_of(request: Request) -> Principal:
    """Who asks. Raises: Unauthenticated."""
    return principal_of(request.state)


def base_of(request: Request) -> str:
    """The root path, before every address in a body."""
    return str(request.scope.get("root_path", "")).rstrip("/")


# Async, because what is not is sent to a thread and awaited. What is asked for all the time takes
# the request and calls the functions above: the framework needs longer for each of these.
async def _use(request: Request) -> Operations:
    return operations_of(request)


async def _caller(request: Request) -> Principal:
    return caller_of(request)


async def _stranger(request: Request) -> Principal | None:
    principal: Principal | None = getattr(request.state, "principal", None)
    return principal


async def _base(request: Request) -> str:
    return base_of(request)


Use = Annotated[Operations, Depends(_use)]
Caller = Annotated[Principal, Depends(_caller)]
Anybody = Annotated[Principal | None, Depends(_stranger)]
Base = Annotated[str, Depends(_base)]


def asks_for_head(request: Request) -> bool:
    """A HEAD request: the route need not make a body."""
    return bool(getattr(request.state, "head", False))


def now() -> datetime:
    """The time, for figures that grow while they are looked at."""
    return datetime.now(UTC)


def as_json(body: BaseModel) -> bytes:
    """`body` as it is sent."""
    return body.model_dump_json().encode()


def tagged(if_none_match: str | None, body: BaseModel) -> Response:
    """`body` with an ETag; 304 when the caller has it already."""
    content = as_json(body)
    tag = f'W/"{hashlib.sha256(content).hexdigest()[:32]}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if matches(if_none_match, tag):
        return Response(status_code=304, headers=headers)
    return Response(content, media_type="application/json", headers=headers)


def matches(if_none_match: str | None, tag: str) -> bool:
    """Whether If-None-Match names this ETag, weak or strong (RFC 9110, 13.1.2)."""
    if if_none_match is None:
        return False
    tags = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return "*" in tags or tag.removeprefix("W/") in tags
