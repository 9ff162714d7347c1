"""Masking: no secret reaches a log."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

HIDDEN = "***"

#: Fields whose value is never written, however they are spelt.
SECRET_FIELDS = re.compile(
    r"^(proxy.?)?authorization$|^(set.?)?cookie$|token$|secret$|password$|passwd$|api.?key$|"
    r"worker.?key$",
    re.IGNORECASE,
)
#: In texts, in this order: keys of ours, bearer tokens, passwords and queries of addresses.
SECRET_TEXTS = (
    (re.compile(r"\bva_[A-Za-z0-9_-]+"), "va_***"),
    (re.compile(r"\b(bearer|basic)\s+[^\s'\",]+", re.IGNORECASE), r"\1 ***"),
    (re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s:/@'\"]*):[^\s/'\"]*@", re.IGNORECASE), r"\1:***@"),
    (re.compile(r"((?:\b[a-z][a-z0-9+.-]*:/)?/[^\s?'\"]*)\?[^\s'\"]+", re.IGNORECASE), r"\1?***"),
)
#: What every one of these has in it. Most texts have none of it, and are looked at no further.
SUSPECT = re.compile(r"va_|bearer|basic|@|\?", re.IGNORECASE)
MOST_NAMES = 1000  # of fields that are remembered


def masked_fields(line: Mapping[str, Any]) -> dict[str, Any]:
    """Every field of a line without secrets."""
    return {name: masked(value, name) for name, value in line.items()}


def masked(value: Any, name: str = "") -> Any:
    """`value`, and all in it, without secrets; `name` is the field that it stands in."""
    if _is_secret(name):
        return HIDDEN
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, Mapping):
        return {key: masked(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(each) for each in value]
    return _text(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


@lru_cache(MOST_NAMES)
def _is_secret(name: str) -> bool:
    return SECRET_FIELDS.search(name) is not None


def _text(text: str) -> str:
    if SUSPECT.search(text) is None:
        return text
    for pattern, shown in SECRET_TEXTS:
        text = pattern.sub(shown, text)
    return text
