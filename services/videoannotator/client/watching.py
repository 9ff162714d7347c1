"""Watching: server-sent events, and plain asking where there are none."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from videoannotator.client.transport import Transport
from videoannotator.domain.errors import (
    Forbidden,
    LimitReached,
    Unauthenticated,
    Unavailable,
    VideoAnnotatorError,
)

POLL_SECONDS = 1.0
RECONNECT_SECONDS = 1.0
BROKEN_STREAMS = 3  #: so many connections in a row without an event, then the client asks instead


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """One event of a stream."""

    name: str = "message"
    data: Mapping[str, Any] = field(default_factory=dict)
    id: str = ""


def parsed(lines: Iterable[str]) -> Iterator[ServerEvent]:
    """The events in the lines of a stream, as the standard says; what breaks off is dropped."""
    fields: dict[str, list[str]] = {}
    for line in lines:
        if not line:
            if fields:
                yield _event(fields)
            fields = {}
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            fields.setdefault(name, []).append(value.removeprefix(" "))


def _event(fields: Mapping[str, list[str]]) -> ServerEvent:
    data: Any = {}
    with suppress(ValueError):
        data = json.loads("\n".join(fields.get("data", [])) or "{}")
    return ServerEvent(
        name=fields.get("event", ["message"])[-1],
        data=data if isinstance(data, Mapping) else {},
        id=fields.get("id", [""])[-1],
    )


def signals(
    transport: Transport, path: str, sleep: Callable[[float], None]
) -> Iterator[ServerEvent | None]:
    """Every event of the stream at `path`, without end; None says: look yourself.

    A stream that breaks is taken up after the last event seen. Where there is none, or none that
    holds, it is None once a second.
    Raises: Unauthenticated, Forbidden.
    """
    last_id = ""
    broken = 0
    while broken < BROKEN_STREAMS:
        try:
            for event in parsed(transport.lines(path, _headers(last_id))):
                last_id = event.id or last_id
                broken = 0
                yield event
        except (Unavailable, LimitReached):
            sleep(RECONNECT_SECONDS)
        except (Unauthenticated, Forbidden):
            raise
        except VideoAnnotatorError:
            break
        broken += 1
        yield None
    while True:
        sleep(POLL_SECONDS)
        yield None


def _headers(last_id: str) -> dict[str, str]:
    headers = {"Accept": "text/event-stream"}
    return headers | {"Last-Event-ID": last_id} if last_id else headers
