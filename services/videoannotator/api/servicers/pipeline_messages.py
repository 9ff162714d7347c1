"""Pipelines and checks of configurations as messages, from the same bodies that REST sends."""

from videoannotator.api.bodies.pipelines import (
    ErrorItem,
    OutputBody,
    PipelineBody,
    ValidationBody,
    WarningItem,
)
from videoannotator.pipelines.catalogue import Readiness
from videoannotator.rpc.states import STABILITIES
from videoannotator.rpc.well_known import struct_to
from videoannotator.v1 import pipeline_pb2

READINESS = {
    Readiness.AVAILABLE: pipeline_pb2.READINESS_AVAILABLE,
    Readiness.MISSING_PART: pipeline_pb2.READINESS_MISSING_PART,
    Readiness.MISSING_WEIGHTS: pipeline_pb2.READINESS_MISSING_WEIGHTS,
}


def pipeline_message(body: PipelineBody) -> pipeline_pb2.Pipeline:
    """A pipeline as a message."""
    return pipeline_pb2.Pipeline(
        name=body.name,
        display_name=body.display_name,
        description=body.description,
        version=body.version,
        enabled=body.enabled,
        default_enabled=body.default_enabled,
        pipeline_family=body.pipeline_family,
        variant=body.variant,
        tasks=body.tasks,
        modalities=body.modalities,
        capabilities=body.capabilities,
        backends=body.backends,
        stability=STABILITIES[body.stability],
        outputs=[_output(each) for each in body.outputs],
        json_schema=struct_to(body.json_schema),
        availability=pipeline_pb2.Availability(
            state=READINESS[body.availability.state],
            reason=body.availability.reason,
            command=body.availability.command,
        ),
        resources=pipeline_pb2.PipelineResources(
            gpus=body.resources.gpus,
            cpus=body.resources.cpus,
            memory_bytes=body.resources.memory_bytes,
        ),
        licence=body.licence,
        commercial_use=body.commercial_use,
        research_only=body.research_only,
    )


def _output(body: OutputBody) -> pipeline_pb2.PipelineOutput:
    return pipeline_pb2.PipelineOutput(
        format=body.format, types=body.types, name=body.name, media_type=body.media_type
    )


def validation_message(body: ValidationBody) -> pipeline_pb2.ValidateParametersResponse:
    """What a check found, as a message."""
    return pipeline_pb2.ValidateParametersResponse(
        valid=body.valid,
        errors=[_error(each) for each in body.errors],
        warnings=[_warning(each) for each in body.warnings],
        message=body.message,
        pipelines_validated=body.pipelines_validated,
    )


def _error(body: ErrorItem) -> pipeline_pb2.ParameterError:
    return pipeline_pb2.ParameterError(
        field=body.field,
        message=body.message,
        code=body.code,
        hint=body.hint,
        pipeline=body.pipeline,
    )


def _warning(body: WarningItem) -> pipeline_pb2.ParameterWarning:
    return pipeline_pb2.ParameterWarning(
        field=body.field,
        message=body.message,
        suggestion=body.suggestion,
        pipeline=body.pipeline,
    )
