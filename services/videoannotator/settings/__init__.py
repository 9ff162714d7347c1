"""Settings: the only reader of the environment.

Every setting is a variable `VIDEOANNOTATOR_<GROUP>__<FIELD>`, from the environment or from a file
`.env` in the working directory. The environment wins over `.env`, and within each our name over the
names that older installations use. A bad value or an unknown name refuses to start.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from dotenv import dotenv_values
from pydantic import BaseModel, ValidationError

from videoannotator.settings.addresses import UNIX
from videoannotator.settings.fields import (
    ApiSettings,
    AuthSettings,
    ClientSettings,
    DatabaseSettings,
    Read,
    RetrySettings,
    RpcSettings,
    Settings,
    TelemetrySettings,
    WorkerSettings,
)
from videoannotator.settings.refusing import refusal
from videoannotator.settings.scheduling import KubernetesSettings, SchedulerSettings
from videoannotator.settings.showing import Row, effective
from videoannotator.settings.storage import StorageSettings
from videoannotator.settings.variables import (
    PREFIX,
    Given,
    Source,
    check_unknown,
    resolve,
    variable,
)

__all__ = [
    "UNIX",
    "ApiSettings",
    "AuthSettings",
    "ClientSettings",
    "DatabaseSettings",
    "KubernetesSettings",
    "RetrySettings",
    "Row",
    "RpcSettings",
    "SchedulerSettings",
    "Settings",
    "StorageSettings",
    "TelemetrySettings",
    "WorkerSettings",
    "effective",
    "environment",
    "load_client_settings",
    "load_settings",
    "load_worker_settings",
    "variable",
]

#: Beginnings of names that another set of settings reads.
FOREIGN = (PREFIX + "WORKER_", PREFIX + "SERVER", PREFIX + "TOKEN")
DOTENV = Path(".env")

SettingsT = TypeVar("SettingsT", bound=Read)


def environment() -> dict[str, str]:
    """A copy of this process's environment, for the processes that it starts."""
    return dict(os.environ)


def load_settings(
    environ: Mapping[str, str] | None = None, dotenv: Path | None = DOTENV
) -> Settings:
    """Reads the settings of the services.

    Raises: InvalidSetting naming the variable, its value and what is allowed.
    """
    sources = _sources(environ, dotenv)
    known = [variable(name) for name in settings_of(Settings)]
    for values in sources.values():
        check_unknown(known, FOREIGN, values)
    return _read(Settings, PREFIX, sources)


def load_worker_settings(environ: Mapping[str, str] | None = None) -> WorkerSettings:
    """Reads the settings of an inference service, from the environment alone.

    Raises: InvalidSetting naming the variable, its value and what is allowed.
    """
    return _read(WorkerSettings, PREFIX + "WORKER_", _sources(environ, None))


def load_client_settings(
    environ: Mapping[str, str] | None = None, dotenv: Path | None = DOTENV
) -> ClientSettings:
    """Reads the settings of the command line.

    Raises: InvalidSetting naming the variable, its value and what is allowed.
    """
    return _read(ClientSettings, PREFIX, _sources(environ, dotenv))


def settings_of(model: type[BaseModel], before: str = "") -> list[str]:
    """The names of all settings in `model`, as `api.port`."""
    names = []
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            names += settings_of(field.annotation, f"{before}{name}.")
        else:
            names.append(before + name)
    return names


def _sources(
    environ: Mapping[str, str] | None, dotenv: Path | None
) -> dict[Source, Mapping[str, str]]:
    """What is given, the source that counts first also first. An empty value counts as none."""
    files = dotenv_values(dotenv) if dotenv is not None and dotenv.is_file() else {}
    return {
        "environment": _given(environment() if environ is None else environ),
        ".env": _given(files),
    }


def _given(values: Mapping[str, str | None]) -> dict[str, str]:
    return {name.upper(): value for name, value in values.items() if value}


def _read(
    model: type[SettingsT], prefix: str, sources: Mapping[Source, Mapping[str, str]]
) -> SettingsT:
    given = resolve(settings_of(model), prefix, sources)
    try:
        settings = model.model_validate(_nested(given))
    except ValidationError as error:
        raise refusal(model, prefix, given, error) from None
    settings._origins.update({name: each.origin for name, each in given.items()})
    return settings


def _nested(given: Mapping[str, Given]) -> dict[str, object]:
    """{"api.port": …} as {"api": {"port": …}}."""
    nested: dict[str, object] = {}
    for name, each in given.items():
        group, _, field = name.rpartition(".")
        place = nested.setdefault(group, {}) if group else nested
        if isinstance(place, dict):
            place[field] = each.value
    return nested
