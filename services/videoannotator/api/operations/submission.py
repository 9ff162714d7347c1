"""What a submission means: its fields as a plan of runs. Pure."""

import hashlib
import json
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from videoannotator.domain.access import Principal
from videoannotator.domain.errors import (
    Forbidden,
    InvalidConfig,
    InvalidRequest,
    PipelineUnavailable,
    Problem,
)
from videoannotator.domain.pipelines import Stability
from videoannotator.pipelines.catalogue import Catalogue, Readiness
from videoannotator.pipelines.interface import PipelineSpec
from videoannotator.pipelines.parameters import Validated, nearest
from videoannotator.store.rows import NewRun

#: What older clients call a pipeline: all that is stable in a family.
FAMILIES = frozenset({"scene", "person", "face", "audio"})
PRIORITY_BOUND = 100
MAX_IDEMPOTENCY_KEY_CHARACTERS = 255
#: Objects and lists inside each other. Hundreds exhaust the stack, and each level of JSON is three
#: of protobuf, which reads a hundred.
MAX_CONFIG_LEVELS = 24
CONFIG_SHAPE = 'Send it as {"<pipeline>": {"<parameter>": <value>}}.'


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """The fields of a submission besides the video, as they were sent."""

    config: str = ""
    selected_pipelines: str = ""
    priority: str = ""
    idempotency_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A submission that was checked."""

    config: dict[str, Any]
    runs: tuple[NewRun, ...]
    priority: int = 0
    idempotency_key: str | None = None
    pipelines: tuple[str, ...] = field(default=())

    def fingerprint(self, video: str) -> str:
        """SHA-256 of all that makes the request this one; `video` is the video's SHA-256."""
        parts = [video, self.config, self.pipelines, self.priority]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def plan(request: Request, catalogue: Catalogue, principal: Principal) -> Plan:
    """Checks a submission.

    Raises: InvalidRequest, InvalidConfig, PipelineUnavailable, Forbidden.
    """
    config = parse_config(request.config)
    specs = choose(parse_selected(request.selected_pipelines), catalogue)
    key = request.idempotency_key
    if key is not None and not 0 < len(key) <= MAX_IDEMPOTENCY_KEY_CHARACTERS:
        raise InvalidRequest(
            "An Idempotency-Key has 1 to 255 characters.",
            hint="Send a UUID.",
            field="Idempotency-Key",
        )
    return Plan(
        config=config,
        runs=tuple(runs_of(config, specs, catalogue)),
        priority=parse_priority(request.priority, principal),
        idempotency_key=key,
        pipelines=tuple(spec.name for spec in specs),
    )


def parse_config(text: str) -> dict[str, Any]:
    """The field `config`: a JSON object, empty when it is missing. Raises: InvalidRequest."""
    try:
        config = json.loads(text, parse_constant=_not_json) if text.strip() else {}
    except (ValueError, RecursionError) as error:
        raise _bad_config("is not valid JSON", CONFIG_SHAPE) from error
    if not isinstance(config, dict):
        raise _bad_config("must be a JSON object", CONFIG_SHAPE)
    if _is_deeper(config, MAX_CONFIG_LEVELS):
        raise _bad_config(
            "is nested too deep", f"{CONFIG_SHAPE} At most {MAX_CONFIG_LEVELS} levels are taken."
        )
    if not _is_finite(config):
        raise _bad_config("has a number that is too large", "Numbers go up to about 1e308.")
    if not _is_text(config):
        raise _bad_config("has half of a character in a text", "Send the text as UTF-8.")
    return config


def _bad_config(told: str, hint: str) -> InvalidRequest:
    return InvalidRequest(f"The field 'config' {told}.", hint=hint, field="config")


def _is_deeper(value: object, levels: int) -> bool:
    """Whether lists and objects stand inside each other on more than `levels` levels."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return levels == 0 or any(_is_deeper(each, levels - 1) for each in inner)


def _not_json(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _is_finite(value: object) -> bool:
    """Whether every number fits into a double, as most of what reads JSON takes it."""
    if isinstance(value, dict | list):
        return all(
            _is_finite(each) for each in (value.values() if isinstance(value, dict) else value)
        )
    return not isinstance(value, int | float) or abs(value) <= sys.float_info.max


def _is_text(value: object) -> bool:
    """Whether it can be stored and sent again; a surrogate that stands alone cannot."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def parse_selected(text: str) -> tuple[str, ...]:
    """The field `selected_pipelines`: names with commas between, or a JSON list of names.

    Raises: InvalidRequest.
    """
    if not text.lstrip().startswith("["):
        return _names(text.split(","))
    try:
        names = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _not_names() from error
    if not all(isinstance(name, str) and _is_text(name) for name in names):
        raise _not_names()
    return _names(names)


def _not_names() -> InvalidRequest:
    return InvalidRequest(
        "The field 'selected_pipelines' is not a list of names.",
        hint='Send it as "a,b" or as ["a", "b"].',
        field="selected_pipelines",
    )


def _names(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.strip() for name in given if name.strip()))


def parse_priority(text: str, principal: Principal) -> int:
    """The field `priority`. Raises: InvalidRequest, Forbidden for more than 0 by a user."""
    try:
        priority = int(text) if text.strip() else 0
    except ValueError as error:
        raise _bad_priority() from error
    if abs(priority) > PRIORITY_BOUND:
        raise _bad_priority()
    if priority > 0 and not principal.sees_all:
        raise Forbidden("Only an administrator may raise a priority above 0.", field="priority")
    return priority


def _bad_priority() -> InvalidRequest:
    return InvalidRequest(
        "The field 'priority' is not a whole number from -100 to 100.",
        hint="Leave it out for the usual priority, 0.",
        field="priority",
    )


def choose(names: tuple[str, ...], catalogue: Catalogue) -> list[PipelineSpec]:
    """The pipelines that are asked for; every available one when none is named.

    Raises: InvalidConfig for an unknown name, PipelineUnavailable.
    """
    known = {spec.name for spec in catalogue.listed()}
    strangers = [name for name in names if name not in known | FAMILIES]
    if strangers:
        raise unknown_pipelines(strangers, known)
    chosen = [spec for name in names for spec in _resolve(name, catalogue)] if names else []
    specs = chosen or _available(catalogue)
    if not specs:
        raise PipelineUnavailable("No pipeline can run here.", hint="Ask the operator.")
    return list({spec.name: catalogue.require(spec.name) for spec in specs}.values())


def unknown_pipelines(names: Iterable[str], known: Iterable[str]) -> InvalidConfig:
    """The refusal of names that no pipeline has."""
    listed = sorted(known)
    problems = tuple(_unknown(name, listed) for name in names)
    return failed(problems, field="selected_pipelines")


def _unknown(name: str, known: list[str]) -> Problem:
    near = nearest(name, known)
    hint = f"Did you mean '{near}'? " if near else ""
    return Problem(
        f"Unknown pipeline '{name[:80]}'.",
        hint=f"{hint}Known pipelines: {', '.join(known)}.",
        field=name[:80],
        code="PIPELINE_NOT_FOUND",
    )


def failed(problems: tuple[Problem, ...], field: str | None = None) -> InvalidConfig:
    """One error for all problems, worded as the public server does."""
    told = "; ".join(
        f"{each.field}: {each.message}" + (f" ({each.hint})" if each.hint else "")
        for each in problems
    )
    return InvalidConfig(
        f"Configuration validation failed: {told}",
        hint=problems[0].hint,
        field=field or problems[0].field,
        problems=problems,
    )


def _resolve(name: str, catalogue: Catalogue) -> list[PipelineSpec]:
    if name not in FAMILIES:
        return [catalogue.get(name)]
    family = [spec for spec in catalogue.listed() if spec.family == name]
    if not family:
        known = [spec.name for spec in catalogue.listed()]
        raise unknown_pipelines([name], known)
    here = [spec for spec in family if _is_available(spec, catalogue)]
    return [spec for spec in here if spec.stability is Stability.STABLE] or here or family


def _available(catalogue: Catalogue) -> list[PipelineSpec]:
    return [spec for spec in catalogue.listed() if _is_available(spec, catalogue)]


def _is_available(spec: PipelineSpec, catalogue: Catalogue) -> bool:
    return catalogue.availability(spec.name).state is Readiness.AVAILABLE


def runs_of(
    config: Mapping[str, Any], specs: Iterable[PipelineSpec], catalogue: Catalogue
) -> list[NewRun]:
    """A run for each pipeline, with its parameters after defaults.

    Raises: InvalidConfig, also for the section of a pipeline that is not to run.
    """
    chosen = list(specs)
    checked = [(spec, check(spec, config, catalogue)) for spec in chosen]
    idle = [spec for spec in named_in(config, catalogue) if spec not in chosen]
    sections = [check(spec, {spec.name: config[spec.name]}, catalogue) for spec in idle]
    found = [*(validated for _, validated in checked), *sections]
    problems = tuple(problem for validated in found for problem in validated.problems)
    if problems:
        raise failed(problems)
    return [
        NewRun(
            pipeline=spec.name,
            parameters=validated.parameters,
            ignored_parameters=validated.ignored,
            resources=spec.resources,
        )
        for spec, validated in checked
    ]


def check(spec: PipelineSpec, config: Mapping[str, Any], catalogue: Catalogue) -> Validated:
    """Checks what `config` says about one pipeline.

    An unknown parameter is told, not refused: existing clients send some.
    """
    section = section_of(spec, config, catalogue)
    if isinstance(section, Problem):
        return Validated(problems=(section,))
    return catalogue.validate(spec.name, section, strict=False)


def section_of(
    spec: PipelineSpec, config: Mapping[str, Any], catalogue: Catalogue
) -> dict[str, Any] | Problem:
    """The parameters of one pipeline: what stands at the top for all, then its own section."""
    sections = {*catalogue.specs, *FAMILIES}
    own: dict[str, Any] = {key: value for key, value in config.items() if key not in sections}
    for key in (spec.family, spec.name):
        section = config.get(key) if key in sections else None
        if section is not None and not isinstance(section, dict):
            return Problem(
                "The parameters of a pipeline are a JSON object.",
                hint=f'Send them as {{"{key}": {{"<parameter>": <value>}}}}.',
                field=key,
                code="INVALID_TYPE",
            )
        own |= section or {}
    return own


def named_in(config: Mapping[str, Any], catalogue: Catalogue) -> list[PipelineSpec]:
    """The pipelines that have a section in `config`."""
    return [spec for spec in catalogue.listed() if spec.name in config]
