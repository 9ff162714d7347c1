"""rest.md and openapi.json: the REST interface, out of its OpenAPI document."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from reference.markdown import code, link, meanings, page, table
from videoannotator.api.app import routed
from videoannotator.domain.access import Role
from videoannotator.domain.jobs import JobState, RunState
from videoannotator.domain.pipelines import Stability
from videoannotator.pipelines.catalogue import Readiness

Json = dict[str, Any]

ENUMS = {each.__name__: each for each in (JobState, Readiness, Role, RunState, Stability)}
BOUNDS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "maxItems": "at most {}",
}


@cache
def openapi() -> Json:
    """The document, as the server gives it."""
    return routed().openapi()


def document() -> str:
    """openapi.json."""
    return json.dumps(openapi(), indent=2, ensure_ascii=False) + "\n"


def kind(schema: Json) -> str:
    """What a value is, in words."""
    if "$ref" in schema:
        return link(schema["$ref"].rpartition("/")[2])
    options = schema.get("anyOf") or schema.get("oneOf")
    if options and "type" not in schema:
        return " or ".join(dict.fromkeys(kind(each) for each in options))
    if "const" in schema:
        return code(json.dumps(schema["const"]).strip('"'))
    if "enum" in schema:
        return " or ".join(code(str(each)) for each in schema["enum"])
    return _plain(schema)


def _plain(schema: Json) -> str:
    name = str(schema.get("format") if schema.get("format") == "date-time" else "") or str(
        schema.get("type", "anything")
    )
    if name == "array":
        return f"list of {kind(schema.get('items', {}))}"
    inner = schema.get("additionalProperties")
    if name == "object" and isinstance(inner, dict):
        return f"object of {kind(inner)}"
    if schema.get("format") == "binary":
        return "file"
    bounds = [told.format(number(schema[key])) for key, told in BOUNDS.items() if key in schema]
    return ", ".join(["time" if name == "date-time" else name, *bounds])


def number(value: float) -> str:
    """A bound as people write it."""
    return str(int(value)) if value == int(value) else str(value)


def _parameters(operation: Json) -> str:
    rows = [
        (code(each["name"]), each["in"], kind(each["schema"]), _default(each), _about(each))
        for each in operation.get("parameters", ())
    ]
    return table(["parameter", "in", "type", "default", "what it is"], rows)


def _default(parameter: Json) -> str:
    if parameter.get("required"):
        return "must be given"
    value = parameter["schema"].get("default")
    return code(json.dumps(value).strip('"')) if value is not None else ""


def _about(parameter: Json) -> str:
    return str(parameter.get("description") or parameter["schema"].get("description", ""))


def _body(operation: Json) -> list[str]:
    body = operation.get("requestBody")
    if body is None:
        return []
    optional = "" if body.get("required") else " It may be left out."
    parts = []
    for media_type, content in body["content"].items():
        schema = content["schema"]
        if "properties" not in schema:
            parts.append(f"Body ({code(media_type)}): {kind(schema)}.{optional}")
            continue
        parts.append(f"Body ({code(media_type)}): {body.get('description', '')}")
        parts.append(_fields(schema))
    return parts


def _fields(schema: Json) -> str:
    required = schema.get("required", ())
    rows = [
        (
            code(name) + ("" if name in required else " (optional)"),
            kind(each),
            _explained(each),
        )
        for name, each in schema["properties"].items()
    ]
    return table(["field", "type", "what it is"], rows)


def _explained(field: Json) -> str:
    """What a field is; where it has no words of its own, those of what it leads to."""
    schemas = openapi()["components"]["schemas"]
    target = schemas.get(field.get("$ref", "").rpartition("/")[2], {})
    return str(field.get("description") or target.get("description", ""))


def _answers(operation: Json) -> str:
    rows = [
        (
            status,
            response["description"],
            ", ".join(_content(response)),
            ", ".join(code(name) for name in response["headers"] if name != "X-Request-ID"),
        )
        for status, response in operation["responses"].items()
    ]
    return table(["status", "what it means", "body", "headers"], rows)


def _content(response: Json) -> Iterator[str]:
    for media_type, content in response.get("content", {}).items():
        yield kind(content["schema"]) if media_type == "application/json" else code(media_type)


def _key(operation: Json) -> str:
    match operation.get("security"):
        case None:
            return "Needs no key and takes none."
        case [{}, *_] as allowed if {} in allowed:
            return "Needs no key; an administrator's is shown more, where it says so."
        case _:
            return "Needs a key."


def _operation(method: str, path: str, operation: Json) -> list[str]:
    return [
        f"### {method.upper()} {path}",
        operation["description"],
        f"{_key(operation)} Its name in generated clients is {code(operation['operationId'])}.",
        _parameters(operation),
        *_body(operation),
        _answers(operation),
    ]


def _tag(whole: Json, tag: Json) -> list[str]:
    parts = [f"## {tag['name'].capitalize()}", tag["description"]]
    for path, item in whole["paths"].items():
        for method, operation in item.items():
            if method != "head" and tag["name"] in operation["tags"]:
                parts += _operation(method, path, operation)
    return parts


def _schema(name: str, schema: Json) -> list[str]:
    parts = [f"### {name}", str(schema.get("description", ""))]
    if name in ENUMS:
        told = meanings(ENUMS[name])
        values = [(code(each), told.get(each, "")) for each in schema["enum"]]
        return [*parts, table(["value", "what it means"], values)]
    return [*parts, _fields(schema)]


def page_of_routes() -> str:
    """The page."""
    whole = openapi()
    schemas = whole["components"]["schemas"].items()
    return page(
        "REST interface",
        whole["info"]["description"].strip(),
        "The same for programs: [openapi.json](openapi.json). How to use it: "
        "[the guide](../guides/use-the-rest-interface.md).",
        *(part for tag in whole["tags"] for part in _tag(whole, tag)),
        "## Bodies",
        *(part for name, schema in schemas for part in _schema(name, schema)),
    )
