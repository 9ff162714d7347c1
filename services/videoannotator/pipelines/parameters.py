"""Parameters of a pipeline: checked, explained and described, all from its pydantic model."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cache
from typing import Any

from pydantic import AliasChoices, ValidationError
from pydantic_core import ErrorDetails

from videoannotator.domain.errors import Problem
from videoannotator.pipelines.interface import Parameters, PipelineSpec

_BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "enum", "unit")
_OUT_OF_RANGE = ("greater_than", "less_than", "literal_error", "enum", "too_long", "too_short")
_WRONG_TYPE = ("_type", "_parsing", "int_from_float")
_V1_TYPES = {"number": "float"}  #: the public server's word for a type, where it differs


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """What came out of checking the parameters of one pipeline."""

    parameters: dict[str, Any] = field(default_factory=dict)  #: after defaults; empty on problems
    ignored: dict[str, str] = field(default_factory=dict)  #: unknown name -> nearest known or ""
    problems: tuple[Problem, ...] = ()


def validate(spec: PipelineSpec, values: Mapping[str, object], *, strict: bool) -> Validated:
    """Checks `values` against the model of a pipeline.

    An unknown name is a problem when `strict`, else it is left out and told in `ignored`.
    """
    known = accepted_names(spec.parameters)
    unknown = {key: nearest(key, known) for key in values if key not in known}
    strangers = [_unknown(spec, key, near) for key, near in unknown.items()] if strict else []
    accepted = {key: value for key, value in values.items() if key in known}
    parameters, wrong = _checked(spec, accepted, known)
    problems = (*strangers, *wrong)
    return Validated(
        parameters={} if problems else parameters,
        ignored={} if strict else unknown,
        problems=problems,
    )


def nearest(name: str, known: Iterable[str]) -> str:
    """The known name that looks most like `name`, or ""."""
    matches = get_close_matches(name.lower(), list(known), n=1, cutoff=0.7)
    return matches[0] if matches else ""


def accepted_names(model: type[Parameters]) -> dict[str, str]:
    """Every name that is understood -> the name of its field; older names included."""
    names = {}
    for name, info in model.model_fields.items():
        names[name] = name
        if isinstance(info.validation_alias, AliasChoices):
            choices = info.validation_alias.choices
            names |= {choice: name for choice in choices if isinstance(choice, str)}
    return names


def json_schema(spec: PipelineSpec) -> dict[str, Any]:
    """JSON Schema (2020-12) of a pipeline's parameters, under the names of their fields."""
    return spec.parameters.model_json_schema(by_alias=False)


def config_schema(spec: PipelineSpec) -> dict[str, dict[str, Any]]:
    """The public server's description: name -> type, default, description, and our bounds."""
    return {name: dict(described) for name, described in _described(spec.parameters).items()}


@cache  # making a schema takes longer than all else that a submission is checked for
def _described(model: type[Parameters]) -> Mapping[str, Mapping[str, Any]]:
    properties: dict[str, dict[str, Any]] = model.model_json_schema(by_alias=False)["properties"]
    return {name: _v1_field(described) for name, described in properties.items()}


def _checked(
    spec: PipelineSpec, values: Mapping[str, object], known: Mapping[str, str]
) -> tuple[dict[str, Any], tuple[Problem, ...]]:
    described = _described(spec.parameters)
    truths = {k for k, v in values.items() if _is_misplaced_truth(v, described[known[k]])}
    wrong = tuple(_truth_for_number(spec, key, described[known[key]]) for key in sorted(truths))
    rest = {key: value for key, value in values.items() if key not in truths}
    try:
        model = spec.parameters.model_validate(rest)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        return {}, wrong + tuple(_problem(spec, detail, known, described) for detail in found)
    return model.model_dump(mode="json"), wrong


def _is_misplaced_truth(value: object, described: Mapping[str, Any]) -> bool:
    # pydantic reads true as 1, which nobody means.
    return isinstance(value, bool) and described["type"] in {"float", "integer"}


def _truth_for_number(spec: PipelineSpec, key: str, described: Mapping[str, Any]) -> Problem:
    return Problem(
        "Expected a number, got true or false.",
        hint=_allowed(described),
        field=f"{spec.name}.{key}",
        code="INVALID_TYPE",
    )


def _unknown(spec: PipelineSpec, key: str, near: str) -> Problem:
    known = ", ".join(spec.parameters.model_fields) or "none"
    hint = f"Did you mean '{near}'? " if near else ""
    return Problem(
        f"Unknown parameter '{key}'.",
        hint=f"{hint}Known parameters: {known}.",
        field=f"{spec.name}.{key}",
        code="UNKNOWN_FIELD",
    )


def _problem(
    spec: PipelineSpec,
    detail: ErrorDetails,
    known: Mapping[str, str],
    described: Mapping[str, Mapping[str, Any]],
) -> Problem:
    path = ".".join(str(part) for part in detail["loc"])
    name = known.get(str(detail["loc"][0])) if detail["loc"] else None
    hint = detail.get("ctx", {}).get("hint", "") or (_allowed(described[name]) if name else "")
    return Problem(
        detail["msg"].rstrip(".") + ".",
        hint=hint,
        field=f"{spec.name}.{path}" if path else spec.name,
        code=_code(detail["type"]),
    )


def _code(kind: str) -> str:
    if kind.startswith(_OUT_OF_RANGE):
        return "VALUE_OUT_OF_RANGE"
    if kind.endswith(_WRONG_TYPE):
        return "INVALID_TYPE"
    return "INVALID_VALUE"


def _allowed(described: Mapping[str, Any]) -> str:
    unit = f" {described['unit']}" if "unit" in described else ""
    return f"Allowed: {_range(described)}{unit}; default {_shown(described['default'])}{unit}."


def _range(described: Mapping[str, Any]) -> str:
    if "enum" in described:
        return ", ".join(map(str, described["enum"]))
    low = described.get("minimum", described.get("exclusiveMinimum"))
    high = described.get("maximum", described.get("exclusiveMaximum"))
    if low is not None and high is not None:
        return f"{low} to {high}"
    if low is not None:
        return f"{low} or more"
    return str(described["type"])


def _shown(default: object) -> str:
    if default is None or isinstance(default, bool):
        return str(default).lower()
    return str(default)


def _v1_field(described: Mapping[str, Any]) -> dict[str, Any]:
    flat = _without_null(described)
    kind = flat.get("type", "string")
    bounds = {key: flat[key] for key in _BOUNDS if key in flat}
    return {
        "type": _V1_TYPES.get(kind, kind),
        "default": flat.get("default"),
        "description": flat.get("description", ""),
        **bounds,
    }


def _without_null(described: Mapping[str, Any]) -> dict[str, Any]:
    """An optional field as its one real type; its default is null."""
    for variant in described.get("anyOf", ()):
        if variant.get("type") != "null":
            return {**described, **variant}
    return dict(described)
