"""Masking: no secret reaches a log."""

import re
from collections.abc import Mapping, MutableMapping
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


def mask(_: Any, __: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """A structlog processor: every field of a line without secrets."""
    return {name: masked(value, name) for name, value in event.items()}


def masked(value: Any, name: str = "") -> Any:
    """`value`, and all in it, without secrets; `name` is the field that it stands in."""
    if name and SECRET_FIELDS.search(name):
        return HIDDEN
    if isinstance(value, bool | int | float) or value is None:
        return value
    if isinstance(value, Mapping):
        return {key: masked(each, str(key)) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [masked(each) for each in value]
    return _text(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


def _text(text: str) -> str:
    for pattern, shown in SECRET_TEXTS:
        text = pattern.sub(shown, text)
    return text
