"""Pipelines and checks of configurations as the bodies of answers."""

from videoannotator.api.bodies.pipelines import (
    AvailabilityBody,
    ErrorItem,
    OutputBody,
    PipelineBody,
    ResourcesBody,
    ValidationBody,
    WarningItem,
)
from videoannotator.api.operations.pipelines import Listed, Verdict
from videoannotator.domain.errors import Problem
from videoannotator.domain.pipelines import Stability
from videoannotator.pipelines.catalogue import Readiness
from videoannotator.pipelines.parameters import config_schema, json_schema


def pipeline_body(listed: Listed) -> PipelineBody:
    """A pipeline as JSON."""
    spec, availability = listed.spec, listed.availability
    available = availability.state is Readiness.AVAILABLE
    return PipelineBody(
        name=spec.name,
        display_name=spec.display_name,
        description=spec.description,
        version=spec.version,
        enabled=available,
        default_enabled=available and spec.stability is Stability.STABLE,
        pipeline_family=spec.family,
        variant=spec.variant,
        tasks=list(spec.tasks),
        modalities=list(spec.modalities),
        capabilities=list(spec.capabilities),
        backends=list(spec.backends),
        stability=spec.stability,
        outputs=_outputs(listed),
        config_schema=config_schema(spec),
        json_schema=json_schema(spec),
        examples=[{"selected_pipelines": spec.name, "config": {spec.name: {}}}],
        availability=AvailabilityBody(
            state=availability.state, reason=availability.reason, command=availability.command
        ),
        resources=ResourcesBody(
            gpus=spec.resources.gpus,
            cpus=spec.resources.cpus,
            memory_bytes=spec.resources.memory_bytes,
        ),
        licence=spec.licence,
        commercial_use=spec.commercial_use,
        research_only=spec.research_only,
    )


def _outputs(listed: Listed) -> list[OutputBody]:
    return [
        OutputBody(
            format=each.format,
            types=list(each.types),
            name=each.public_name,
            media_type=each.media_type,
        )
        for each in listed.spec.outputs
    ]


def validation_body(verdict: Verdict) -> ValidationBody:
    """What a check found, as JSON."""
    errors = [_error(each) for each in verdict.problems]
    warnings = [
        WarningItem(
            field=f"{each.pipeline}.{each.name}",
            message=f"Unknown field '{each.name}' will be ignored",
            suggestion=f"Did you mean '{each.suggestion}'?" if each.suggestion else "",
            pipeline=each.pipeline,
        )
        for each in verdict.ignored
    ]
    return ValidationBody(
        valid=not errors,
        errors=errors,
        warnings=warnings,
        message=_message(len(errors), len(warnings)),
        pipelines_validated=list(verdict.pipelines),
    )


def _error(problem: Problem) -> ErrorItem:
    field = problem.field or ""
    return ErrorItem(
        field=field,
        message=problem.message,
        code=problem.code,
        error_code=problem.code,
        hint=problem.hint,
        pipeline=field.partition(".")[0],
    )


def _message(errors: int, warnings: int) -> str:
    if errors:
        return f"Configuration validation failed with {errors} error(s)"
    if warnings:
        return f"Configuration is valid with {warnings} warning(s)"
    return "Configuration is valid"
