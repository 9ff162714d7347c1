"""Showing: every setting in force and where it came from, without secrets."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from videoannotator.settings.addresses import masked
from videoannotator.settings.fields import Read, Settings
from videoannotator.settings.kinds import NONE, PORT_OR_NONE
from videoannotator.settings.variables import variable

HIDDEN = "***"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One setting in force."""

    setting: str  #: as `api.port`
    variable: str  #: as VIDEOANNOTATOR_API__PORT
    value: str  #: secrets masked
    origin: str  #: as `default` or `environment DATABASE_URL`
    description: str


def effective(settings: Read) -> list[Row]:
    """Every setting of `settings`, in the order of the record."""
    prefix = str(settings.model_config.get("env_prefix"))
    derived = _derived(settings)
    return [
        Row(
            setting=name,
            variable=variable(name, prefix),
            value=_shown(value, field) or derived.get(name, ""),
            origin=str(settings._origins.get(name, _unset(name, derived))),
            description=field.description or "",
        )
        for name, value, field in _leaves(settings)
    ]


def _derived(settings: Read) -> dict[str, str]:
    """The settings in force that are made out of others when nobody gives them."""
    return {"database.url": settings.own_database_url} if isinstance(settings, Settings) else {}


def _unset(name: str, derived: Mapping[str, str]) -> str:
    return f"default, in {variable('storage.root')}" if name in derived else "default"


def is_secret(field: Mapping[str, Any]) -> bool:
    """Whether a field, as JSON Schema has it, may hold a password."""
    return bool(field.get("secret")) or field.get("format") == "password"


def _leaves(model: BaseModel, before: str = "") -> Iterator[tuple[str, Any, FieldInfo]]:
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from _leaves(value, f"{before}{name}.")
        else:
            yield before + name, value, field


def _shown(value: Any, field: FieldInfo) -> str:
    if isinstance(value, SecretStr):
        return HIDDEN if value.get_secret_value() else ""
    extra = field.json_schema_extra
    if isinstance(extra, Mapping) and extra.get("secret"):
        return masked(value) if value else ""
    if isinstance(value, list):
        return ",".join(value)
    if isinstance(value, Mapping):
        return ",".join(f"{name}={each}" for name, each in value.items())
    if value is None:
        return NONE if extra is PORT_OR_NONE else ""
    return str(value)
