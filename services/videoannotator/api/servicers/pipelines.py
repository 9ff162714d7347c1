"""PipelineService: what the pipelines are, and whether a configuration fits."""

from videoannotator.api.catalogue_schemas import pipeline_body, validation_body
from videoannotator.api.operations.assembly import Operations
from videoannotator.api.servicers.calls import Call
from videoannotator.api.servicers.pipeline_messages import pipeline_message, validation_message
from videoannotator.domain.errors import InvalidRequest
from videoannotator.rpc.well_known import struct_from
from videoannotator.v1 import pipeline_pb2, pipeline_pb2_grpc


class PipelineServicer(pipeline_pb2_grpc.PipelineServiceServicer):
    """Answers everybody."""

    def __init__(self, operations: Operations) -> None:
        """`operations` are those of every face."""
        self._use = operations.pipelines

    async def ListPipelines(  # noqa: N802
        self, request: pipeline_pb2.ListPipelinesRequest, call: Call
    ) -> pipeline_pb2.ListPipelinesResponse:
        """Every pipeline."""
        listed = await self._use.list(call.principal)
        messages = [pipeline_message(pipeline_body(each)) for each in listed]
        return pipeline_pb2.ListPipelinesResponse(pipelines=messages)

    async def GetPipeline(  # noqa: N802
        self, request: pipeline_pb2.GetPipelineRequest, call: Call
    ) -> pipeline_pb2.GetPipelineResponse:
        """One pipeline."""
        listed = await self._use.get(call.principal, request.name)
        return pipeline_pb2.GetPipelineResponse(pipeline=pipeline_message(pipeline_body(listed)))

    async def ValidateParameters(  # noqa: N802
        self, request: pipeline_pb2.ValidateParametersRequest, call: Call
    ) -> pipeline_pb2.ValidateParametersResponse:
        """Checks a configuration."""
        config, selected = struct_from(request.config), tuple(request.selected_pipelines)
        if not request.pipeline:
            verdict = await self._use.validate(call.principal, config, selected or None)
            return validation_message(validation_body(verdict))
        if selected:
            raise InvalidRequest(
                "Say either 'pipeline' or 'selected_pipelines'.",
                hint="Leave one of them out.",
                field="selected_pipelines",
            )
        verdict = await self._use.validate_one(call.principal, request.pipeline, config)
        return validation_message(validation_body(verdict))
