"""What routes say of their answers in the OpenAPI document, where their types do not say it."""

from typing import Any

from videoannotator.api.bodies.errors import ErrorBody
from videoannotator.api.problems import answer_of_kind
from videoannotator.domain.errors import VideoAnnotatorError

Json = dict[str, Any]
Responses = dict[int | str, Json]

SCHEMAS = "#/components/schemas/"
TEXT = {"type": "string"}
BYTES: Json = {}  #: in OpenAPI 3.1, bytes have no schema
ETAG = {
    "ETag": {
        "description": "Names these bytes. Send it as If-None-Match to get 304 while they stay.",
        "schema": TEXT,
    }
}
ATTACHMENT = {
    "Content-Disposition": {"description": "Name to save it under.", "schema": TEXT},
    "Content-Length": {"description": "Size in bytes.", "schema": {"type": "integer"}},
}
RANGES = {
    "Accept-Ranges": {"description": "Always bytes: Range is understood.", "schema": TEXT},
}
CONTENT_RANGE = {
    "Content-Range": {
        "description": "Which bytes, and how many there are: bytes 0-99/1234 or bytes */1234.",
        "schema": TEXT,
    }
}

LOCATION = {"Location": {"description": "Address of the job on this server.", "schema": TEXT}}

#: Of a body with an ETag.
UNCHANGED: Json = {"description": "Nothing has changed since then.", "headers": ETAG}
TAGGED: Responses = {200: {"headers": ETAG}, 304: UNCHANGED}


def answers(*kinds: type[VideoAnnotatorError]) -> Responses:
    """Responses for these errors, as routes take them."""
    told: dict[int, list[str]] = {}
    for kind in kinds:
        answer = answer_of_kind(kind)
        summary = (kind.__doc__ or "").strip().splitlines()[0].rstrip(".")
        told.setdefault(answer.status, []).append(f"`{answer.code}`: {summary}.")
    return {status: refused(lines) for status, lines in told.items()}


def refused(lines: list[str]) -> Json:
    """The response for errors that `lines` tell of."""
    schema = {"$ref": SCHEMAS + ErrorBody.__name__}
    return {
        "description": "\n\n".join(lines),
        "content": {"application/json": {"schema": schema}},
    }


def sent(description: str, media_type: str, schema: Json, headers: Json) -> Json:
    """A response of one media type."""
    return {
        "description": description,
        "headers": headers,
        "content": {media_type: {"schema": schema}},
    }


#: Of a file that can be fetched in part.
FILE: Responses = {
    200: sent("The file.", "*/*", BYTES, {**ETAG, **RANGES, **ATTACHMENT}),
    206: sent(
        "The part that Range asks for.",
        "*/*",
        BYTES,
        {**ETAG, **RANGES, **CONTENT_RANGE, **ATTACHMENT},
    ),
    304: UNCHANGED,
    416: {
        **refused(["`RANGE_NOT_SATISFIABLE`: The range begins after the end of the file."]),
        "headers": {**RANGES, **CONTENT_RANGE},
    },
}
