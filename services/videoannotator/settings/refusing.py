"""Refusals: what is wrong with a setting, its value, and what is allowed."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from videoannotator.domain.errors import InvalidSetting
from videoannotator.settings.showing import is_secret
from videoannotator.settings.variables import Given, variable

KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list with commas between",
    "object": "NAME=NUMBER with commas between",
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

    Names the variable, its value (unless it is secret) and what is allowed.
    """
    schema = model.model_json_schema()
    problems = error.errors(include_url=False, include_context=False)
    lines = [_line(schema, prefix, given, problem) for problem in problems]
    return InvalidSetting(
        "\n".join(dict.fromkeys(line for _, line in lines)),
        hint="See 'videoannotator config show' for every setting.",
        field=lines[0][0],
    )


def _line(
    schema: dict[str, Any], prefix: str, given: Mapping[str, Given], problem: ErrorDetails
) -> tuple[str, str]:
    setting, field = _place(schema, problem["loc"])
    each = given.get(setting)
    name = each.origin.variable if each else variable(setting, prefix)
    if problem["type"] == "missing":
        return name, f"{name} is missing. {field.get('description', '')}".strip()
    ours = problem["type"] == "value_error"  # else the words are the library's
    reason = problem["msg"].removeprefix("Value error, ") if ours else ""
    if "properties" in field:
        return name, f"{name}: {reason}."
    value = "" if is_secret(field) or each is None else f" '{each.value}'"
    return (
        name,
        f"{name} has a value{value} that is not allowed. Allowed: {allowed(field, reason)}.",
    )


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


def allowed(field: Mapping[str, Any], reason: str = "") -> str:
    """What a field takes, for people, from its part of the JSON Schema."""
    if "enum" in field:
        return ", ".join(str(each) for each in field["enum"])
    kind = KINDS.get(field.get("type", ""), "")
    bounds = [f"{word} {field[key]:g}" for key, word in BOUNDS.items() if key in field]
    told = f"{kind} {' and '.join(bounds)}".strip()
    return told or reason or str(field.get("description", "")).rstrip(".")
