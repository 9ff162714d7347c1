"""Times as JSON has them."""

import re
from datetime import UTC, datetime
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

YEAR = re.compile(r"\d{4}-")
EXAMPLE = "2026-01-31T12:00:00.123456Z"


def rfc3339(instant: datetime) -> str:
    """A time in UTC with a Z, as 2026-01-31T12:00:00.123456Z."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


Instant = Annotated[
    datetime,
    PlainSerializer(rfc3339, return_type=str),
    WithJsonSchema(
        {"type": "string", "format": "date-time", "examples": [EXAMPLE]},
        mode="serialization",
    ),
]


def _told(given: object) -> object:
    """A time is a text: a number would be taken as seconds since 1970."""
    if isinstance(given, datetime) or (isinstance(given, str) and YEAR.match(given)):
        return given
    raise ValueError(f"Send a time as {EXAMPLE}.")


def _in_utc(given: datetime) -> datetime:
    """In UTC; a time without a zone is taken as UTC."""
    try:
        return given.replace(tzinfo=UTC) if given.tzinfo is None else given.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("The time is before the year 1 or after the year 9999.") from error


#: A time that somebody sends.
Given = Annotated[datetime, BeforeValidator(_told), AfterValidator(_in_utc)]
