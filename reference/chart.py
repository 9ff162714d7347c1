"""chart.md: every value of the chart, out of its schema and its defaults."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from reference.markdown import code, page, table

CHART = Path(__file__).resolve().parent.parent / "charts" / "videoannotator"
HEAD = ["value", "default", "allowed", "what it is"]
NAME = "NAME"
BOUNDS = {"minimum": "at least", "maximum": "at most"}
WORDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
#: Maps and lists that Kubernetes defines.
FOREIGN = {
    "selector": "labels",
    "annotations": "annotations",
    "labels": "labels",
    "tolerations": "tolerations",
    "affinity": "an affinity",
    "resources": "requests and limits",
    "peers": "NetworkPolicy peers",
}

Schema = dict[str, Any]


def schema() -> Schema:
    """What the chart takes."""
    found: Schema = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
    return found


def defaults() -> dict[str, Any]:
    """What the chart has when nobody says otherwise."""
    found: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))
    return found


def page_of_values() -> str:
    """The page."""
    values = defaults()
    alone, groups = [], []
    for name, part in schema()["properties"].items():
        if _inner(part):
            told = table(HEAD, rows(part, values.get(name), f"{name}."))
            groups += [f"## {name}", part["description"], told]
        else:
            alone.append(row(name, part, values.get(name)))
    return page(
        "Values of the chart",
        "For `helm install --values FILE`, or `--set api.replicas=3`. A value that is not listed "
        "here is refused, and so are values that do not fit together; the refusal says what to do. "
        "Examples for whole sites are in `k8s/values`.",
        table(HEAD, alone),
        *groups,
    )


def rows(part: Schema, values: Any, before: str) -> Iterator[tuple[str, ...]]:
    """A row for each value of a group, and of the groups inside it."""
    for name, inner in _inner(part).items():
        given = values.get(name) if isinstance(values, dict) else None
        if _inner(inner):
            yield from rows(inner, given, f"{before}{name}.")
        else:
            yield row(before + name, inner, given)


def _inner(part: Schema) -> dict[str, Schema]:
    """The values of a group; those of a map whose keys are names stand under NAME."""
    if "properties" in part:
        found: dict[str, Schema] = part["properties"]
        return found
    if not part.get("minProperties"):
        return {}
    (named,) = part["patternProperties"].values()
    return {NAME: named}


def row(place: str, part: Schema, value: Any) -> tuple[str, ...]:
    """One value."""
    default = code(shown(value)) or ("" if f".{NAME}" in f".{place}" or place == NAME else "empty")
    return code(place), default, _allowed(part), part["description"]


def shown(value: Any) -> str:
    """A default as YAML has it; empty ones are told as such."""
    if value in (None, "", [], {}):
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)


def _allowed(part: Schema) -> str:
    if "$ref" in part:
        return FOREIGN[part["$ref"].rpartition("/")[2]]
    if "enum" in part:
        return ", ".join(code(each) for each in part["enum"])
    kind = part.get("type")
    if kind == "array":
        return f"a list: {_allowed(part['items'])}"
    if kind == "object":
        return "a map"
    if isinstance(kind, list):
        return "a text or a number"
    bounds = [f"{word} {part[key]:g}" for key, word in BOUNDS.items() if key in part]
    return f"{WORDS.get(str(kind), '')} {' and '.join(bounds)}".strip()
