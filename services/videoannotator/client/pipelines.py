"""What the server tells about pipelines and their parameters, as records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from videoannotator.client import reading
from videoannotator.client.reading import Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """A kind of file that a pipeline writes."""

    format: str
    types: tuple[str, ...]

    @classmethod
    def read(cls, data: Fields) -> Self:
        """From the server's JSON."""
        return cls(format=reading.text(data, "format"), types=reading.texts(data, "types"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """Whether a pipeline can run at that server."""

    state: str  #: available | missing_part | missing_weights; empty: the server does not tell
    reason: str
    command: str  #: what the operator runs to change that

    @classmethod
    def read(cls, data: Fields) -> Self:
        """From the server's JSON."""
        return cls(
            state=reading.text(data, "state"),
            reason=reading.text(data, "reason"),
            command=reading.text(data, "command"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A pipeline of the server."""

    name: str
    display_name: str
    description: str
    version: str
    stability: str
    modalities: tuple[str, ...]
    tasks: tuple[str, ...]
    outputs: tuple[Output, ...]
    availability: Availability
    config_schema: Mapping[str, Mapping[str, Any]]  #: parameter -> type, default, description
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, data: Fields) -> Self:
        """From the server's JSON."""
        availability = data.get("availability") or {}
        return cls(
            name=reading.required(data, "name"),
            display_name=reading.text(data, "display_name"),
            description=reading.text(data, "description"),
            version=reading.text(data, "version"),
            stability=reading.text(data, "stability"),
            modalities=reading.texts(data, "modalities"),
            tasks=reading.texts(data, "tasks"),
            outputs=reading.items(data, "outputs", Output.read),
            availability=Availability.read(reading.fields(availability)),
            config_schema=dict(reading.fields(data.get("config_schema") or {})),
            raw=data,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing about a configuration."""

    field: str  #: as `pipeline.parameter`
    message: str
    hint: str
    severity: str  #: error | warning

    @classmethod
    def read(cls, data: Fields) -> Self:
        """From the server's JSON."""
        return cls(
            field=reading.text(data, "field"),
            message=reading.text(data, "message"),
            hint=reading.text(data, "hint") or reading.text(data, "suggestion"),
            severity=reading.text(data, "severity"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """Whether a configuration would be accepted."""

    valid: bool
    errors: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    message: str
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, data: Fields) -> Self:
        """From the server's JSON."""
        return cls(
            valid=data.get("valid") is True,
            errors=reading.items(data, "errors", Finding.read),
            warnings=reading.items(data, "warnings", Finding.read),
            message=reading.text(data, "message"),
            raw=data,
        )
