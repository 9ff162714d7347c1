"""Kinds of values: what people write, as what it is read, and what is allowed."""

import re
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from videoannotator.settings.addresses import (
    checked_address,
    checked_endpoint,
    checked_listen,
    checked_origin,
)


def _split(value: Any) -> Any:
    """`a, b` as a list; everything else as it is."""
    if isinstance(value, str) and not value.lstrip().startswith("["):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _pairs(value: Any) -> Any:
    """`a=1, b=2` as a mapping; everything else as it is."""
    if isinstance(value, str) and not value.lstrip().startswith("{"):
        return dict(part.partition("=")[::2] for part in _split(value))
    return value


def _none(value: Any) -> Any:
    """The word `none` as None; everything else as it is."""
    return None if isinstance(value, str) and value.strip().lower() == NONE else value


def _checked_secret(secret: SecretStr) -> SecretStr:
    """`secret`, which is empty or 64 hexadecimal digits. Raises: ValueError."""
    value = secret.get_secret_value()
    if value and not re.fullmatch("[0-9a-f]{64}", value):
        raise ValueError("is no secret of 32 bytes")
    return secret


def _checked_key(key: SecretStr) -> SecretStr:
    """`key`, which is empty or long enough that nobody guesses it. Raises: ValueError."""
    value = key.get_secret_value()
    if value and not re.fullmatch("va_[A-Za-z0-9_-]{40,200}", value):
        raise ValueError("is no key")
    return key


#: The word for "there is none", where an empty value would mean the default.
NONE = "none"
KIB = 1024
MIB = 1024**2
GIB = 1024**3
PIB = 1024**5
#: More than anybody means, and so little that every database and clock holds it.
MOST = 1_000_000_000

Addresses = Annotated[
    list[Annotated[str, AfterValidator(checked_address)]], BeforeValidator(_split)
]
Origins = Annotated[list[Annotated[str, AfterValidator(checked_origin)]], BeforeValidator(_split)]
Count = Annotated[int, Field(ge=0, le=MOST)]
Some = Annotated[int, Field(ge=1, le=MOST)]
Limits = Annotated[dict[Annotated[str, Field(min_length=1)], Count], BeforeValidator(_pairs)]
Endpoint = Annotated[str, AfterValidator(checked_endpoint)]
Listen = Annotated[str, AfterValidator(checked_listen)]
MaybePort = Annotated[
    Annotated[int, Field(ge=0, le=65535)] | None, BeforeValidator(_none, json_schema_input_type=int)
]
Secret = Annotated[SecretStr, AfterValidator(_checked_secret)]
Key = Annotated[SecretStr, AfterValidator(_checked_key)]
Seconds = Annotated[float, Field(gt=0, le=MOST, allow_inf_nan=False)]


#: The type of an error about fields that do not fit together.
TOGETHER = "together"


def only(allowed: str) -> dict[str, Any]:
    """What a refusal says is allowed, where the schema of the field does not say it."""
    return {"allowed": allowed}


PORT_OR_NONE = only("a whole number at least 0 and at most 65535, or none")
ACCESS_KEY = only("va_ and 40 to 200 of A-Z, a-z, 0-9, _ and -")
HEX_SECRET = only("64 hexadecimal digits, as 'openssl rand -hex 32' makes them")
