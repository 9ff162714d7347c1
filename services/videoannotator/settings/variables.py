"""From variables to settings: which name stands for what, and which one counts."""

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from videoannotator.domain.errors import InvalidSetting

PREFIX = "VIDEOANNOTATOR_"
DELIMITER = "__"

#: Names that older installations use -> our setting. Each is read with our prefix, too.
OLD_NAMES: Mapping[str, str] = {
    "STORAGE_ROOT": "storage.root",
    "DATABASE_URL": "database.url",
    "API_PORT": "api.port",
    "ALLOWED_ORIGINS": "api.allowed_origins",
    "CORS_ORIGINS": "api.allowed_origins",
    "REQUIRE_AUTH": "auth.required",
    "AUTH_REQUIRED": "auth.required",
    "MAX_CONCURRENT_JOBS": "scheduler.max_workers",
    "MAX_CONCURRENT_GPU_JOBS": "scheduler.max_gpu_workers",
    "RETRY_BASE_DELAY": "retry.base_delay_seconds",
    "RETRY_MAX_DELAY": "retry.max_delay_seconds",
    "RETRY_JITTER": "retry.jitter",
}

#: What Kubernetes adds by itself for a Service named videoannotator-…; it means nothing to us.
SERVICE_LINK = re.compile(r".*_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_\d+_(TCP|UDP)\w*)?)$")
LINK_VALUE = re.compile(r"(tcp|udp)://|\d+(\.\d+){3}$|\d+$")

Source = Literal["environment", ".env"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a value came from."""

    source: Source
    variable: str
    overrides: tuple[str, ...] = ()  #: other variables that were given, and do not count

    def __str__(self) -> str:
        """As `environment DATABASE_URL`."""
        told = f" (not {', '.join(self.overrides)})" if self.overrides else ""
        return f"{self.source} {self.variable}{told}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A setting that a variable gives a value to."""

    value: str
    origin: Origin


def variable(setting: str, prefix: str = PREFIX) -> str:
    """The name of the variable of `setting`: `api.port` is VIDEOANNOTATOR_API__PORT."""
    return prefix + setting.replace(".", DELIMITER).upper()


def names_of(setting: str, prefix: str) -> tuple[str, ...]:
    """Every name of `setting`; the first one counts before the others."""
    old = [name for name, means in OLD_NAMES.items() if means == setting and prefix == PREFIX]
    return (variable(setting, prefix), *(PREFIX + name for name in old), *old)


def resolve(
    settings: Iterable[str], prefix: str, sources: Mapping[Source, Mapping[str, str]]
) -> dict[str, Given]:
    """The value of each of `settings` that is given, from the first source that has it."""
    found = {}
    for setting in settings:
        names = names_of(setting, prefix)
        given = [
            (source, name, values[name])
            for source, values in sources.items()
            for name in names
            if name in values and not is_service_link(name, values[name])
        ]
        if given:
            (source, name, value), *rest = given
            overrides = tuple(
                other if theirs == source else f"{theirs} {other}"
                for theirs, other, told in rest
                if told != value
            )
            found[setting] = Given(
                value=value, origin=Origin(source=source, variable=name, overrides=overrides)
            )
    return found


def is_service_link(name: str, value: str) -> bool:
    """Whether Kubernetes added this variable: VIDEOANNOTATOR_API_PORT=tcp://10.0.0.7:18011."""
    if DELIMITER in name or not name.startswith(PREFIX) or not SERVICE_LINK.match(name):
        return False
    return bool(LINK_VALUE.match(value)) and not (name in OLD_TWINS and value.isdigit())


OLD_TWINS = frozenset(PREFIX + name for name in OLD_NAMES)


def check_unknown(known: Iterable[str], foreign: Iterable[str], values: Mapping[str, str]) -> None:
    """A typo is not silent.

    `known` are full names of variables, `foreign` beginnings of names that others read.
    Raises: InvalidSetting naming the unknown variable and the nearest known one.
    """
    names = {*known, *OLD_TWINS}
    for name, value in values.items():
        if not name.startswith(PREFIX) or name in names or is_service_link(name, value):
            continue
        if not name.startswith(tuple(foreign)):
            raise _unknown(name, names)


def _unknown(name: str, names: set[str]) -> InvalidSetting:
    near = difflib.get_close_matches(name, names, n=1)
    return InvalidSetting(
        f"There is no setting {name}.",
        hint=f"Did you mean {near[0]}?" if near else "See 'videoannotator config show'.",
        field=name,
    )
