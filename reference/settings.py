"""settings.md: every setting, out of the records that read them."""

from typing import Any

from pydantic import BaseModel, ByteSize

from reference.markdown import code, page, table
from videoannotator.settings import ClientSettings, Settings, WorkerSettings
from videoannotator.settings.fields import Read
from videoannotator.settings.refusing import allowed
from videoannotator.settings.showing import is_secret
from videoannotator.settings.variables import OLD_NAMES, PREFIX, variable

HEAD = ["variable", "default", "allowed", "what it is", "older names"]
UNITS = (("PiB", 1024**5), ("TiB", 1024**4), ("GiB", 1024**3), ("MiB", 1024**2), ("KiB", 1024))


def _rows(model: type[BaseModel], prefix: str, group: str = "") -> list[tuple[str, ...]]:
    """A row for each setting of a record, not of the groups inside it."""
    fields = model.model_json_schema()["properties"]
    rows: list[tuple[str, ...]] = []
    for name, field in model.model_fields.items():
        if is_group(field.annotation):
            continue
        setting = f"{group}.{name}" if group else name
        schema = fields[name]
        told = " Secret: it is never shown." if is_secret(schema) else ""
        rows.append(
            (
                code(variable(setting, prefix)),
                _default(schema, field.annotation),
                _allowed(schema),
                schema.get("description", "") + told,
                ", ".join(code(each) for each in old_names(setting, prefix)),
            )
        )
    return rows


def _allowed(schema: dict[str, Any]) -> str:
    told = allowed(schema)  # the description, where the schema has no bounds
    kind = "a path" if schema.get("format") == "path" else "a text"
    return kind if told == schema.get("description", "").rstrip(".") else told


def is_group(annotation: Any) -> bool:
    """Whether a field is a record of settings itself."""
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def old_names(setting: str, prefix: str) -> list[str]:
    """Names that older installations use for a setting."""
    return [name for name, means in OLD_NAMES.items() if means == setting and prefix == PREFIX]


def _default(schema: dict[str, Any], annotation: Any) -> str:
    if "default" not in schema:
        return "must be given"
    value = schema["default"]
    if annotation is ByteSize:
        return code(_bytes(value))
    if isinstance(value, bool):
        return code(str(value).lower())
    if isinstance(value, list):
        return code(",".join(value)) or "empty"
    if isinstance(value, dict):
        return code(",".join(f"{key}={each}" for key, each in value.items())) or "empty"
    return code(f"{value:g}" if isinstance(value, float) else str(value or "")) or _nothing(value)


def _nothing(value: Any) -> str:
    return code("0") if value == 0 and value is not None and value != "" else "empty"


def _bytes(value: int) -> str:
    for unit, size in UNITS:
        if value and value % size == 0:
            return f"{value // size}{unit}"
    return str(value)


def _groups(model: type[Read], prefix: str) -> list[str]:
    parts = []
    for name, field in model.model_fields.items():
        kind: Any = field.annotation
        if is_group(kind):
            told = (kind.__doc__ or "").strip().splitlines()[0]
            parts += [f"### {name}", told, table(HEAD, _rows(kind, prefix, name))]
    return parts


def _set(title: str, model: type[Read]) -> list[str]:
    prefix = str(model.model_config.get("env_prefix"))
    told = " ".join((model.__doc__ or "").split())
    return [f"## {title}", told, table(HEAD, _rows(model, prefix)), *_groups(model, prefix)]


def page_of_settings() -> str:
    """The page."""
    return page(
        "Settings",
        "A setting is an environment variable, or a line in the file `.env` of the working "
        "directory. The environment counts before `.env`, and the name in the first column before "
        "older names, which also work with `VIDEOANNOTATOR_` before them. An empty value counts "
        "as none. A bad value or an unknown name that begins with `VIDEOANNOTATOR_` refuses to "
        "start and says what is allowed.",
        "`videoannotator config show` tells what is in force here, and where it came from.",
        *_set("Services", Settings),
        *_set("Workers", WorkerSettings),
        *_set("Command line and SDK", ClientSettings),
    )
