"""Refusals: what is wrong with a setting, its value, and what is allowed."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from videoannotator.domain.errors import InvalidSetting
from videoannotator.settings.addresses import kind_of
from videoannotator.settings.kinds import TOGETHER
from videoannotator.settings.showing import is_secret
from videoannotator.settings.variables import Given, variable

KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list with commas between",
    "object": "NAME=NUMBER with commas between, each number at least 0",
}
BOUNDS = {
    "minimum": "at least",
    "exclusiveMinimum": "more than",
    "maximum": "at most",
    "exclusiveMaximum": "less than",
}


def refusal(
    model: type[BaseModel], prefix: str, given: Mapping[str, Given], error: ValidationError
) -> InvalidSetting:
    """One error for everything that is wrong, a line each.

    Names the variable, its value (of a secret only the kind) and what is allowed.
    """
    schema = model.model_json_schema()
    problems = error.errors(include_url=False, include_input=False)
    lines = [_line(schema, prefix, given, problem) for problem in problems]
    return InvalidSetting(
        "\n".join(dict.fromkeys(line for _, line in lines)),
        hint="See 'videoannotator config show' for every setting.",
        field=lines[0][0],
    )


def _line(
    schema: dict[str, Any], prefix: str, given: Mapping[str, Given], problem: ErrorDetails
) -> tuple[str, str]:
    """The variable that is at fault, and what to say of it."""
    setting, field = _place(schema, problem["loc"])
    told = problem.get("ctx", {}) if problem["type"] == TOGETHER else {}
    if told:
        setting = ".".join(filter(None, (setting, told["field"])))
    each = given.get(setting)
    name = each.origin.variable if each else variable(setting, prefix)
    if problem["type"] == "missing":
        return name, f"{name} is missing. {field.get('description', '')}".strip()
    value = told.get("value") or _shown(field, each)
    fits = told.get("allowed") or allowed(field)
    return name, f"{name} has a value '{value}' that is not allowed. Allowed: {fits}."


def _shown(field: Mapping[str, Any], each: Given | None) -> str:
    value = each.value if each else str(field.get("default", ""))
    return kind_of(value) if is_secret(field) else value


def _place(schema: dict[str, Any], path: tuple[int | str, ...]) -> tuple[str, dict[str, Any]]:
    """The setting that `path` leads into, as `api.port`, and its part of the schema."""
    names: list[str] = []
    place = schema
    for step in path:
        if not isinstance(step, str) or step not in place.get("properties", {}):
            break
        names.append(step)
        place = place["properties"][step]
        if "$ref" in place:
            place = schema["$defs"][place["$ref"].rpartition("/")[2]]
    return ".".join(names), place


def allowed(field: Mapping[str, Any]) -> str:
    """What a field takes, for people, from its part of the JSON Schema."""
    if "allowed" in field:
        return str(field["allowed"])
    if "enum" in field:
        return ", ".join(str(each) for each in field["enum"])
    kind = KINDS.get(field.get("type", ""), "")
    bounds = [f"{word} {_plain(field[key])}" for key, word in BOUNDS.items() if key in field]
    told = f"{kind} {' and '.join(bounds)}".strip()
    return told or str(field.get("description", "")).rstrip(".")


def _plain(number: float) -> str:
    return f"{number:.0f}" if number == int(number) else f"{number:g}"
