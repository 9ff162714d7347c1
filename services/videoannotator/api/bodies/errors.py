"""The one shape of every error."""

from pydantic import BaseModel, Field

from videoannotator.api.bodies.times import Instant


class ProblemBody(BaseModel):
    """One thing that is wrong with a request."""

    field: str | None = Field(None, description="What is at fault, as `pipeline.parameter`.")
    message: str = Field(description="What is wrong with it.")
    hint: str = Field("", description="What to do about it; often empty.")


class ErrorDetails(BaseModel):
    """Why a request was refused or failed."""

    code: str = Field(
        description="What happened, for programs. docs/reference/errors.md lists all codes.",
        examples=["JOB_NOT_FOUND"],
    )
    message: str = Field(
        description="What happened, for people.", examples=["Job 4f1c0d9e not found"]
    )
    detail: list[ProblemBody] = Field(
        [], description="Each thing that is wrong; left out when there is only the message."
    )
    hint: str = Field(
        description="What to do next.", examples=["List your jobs with GET /api/v1/jobs."]
    )
    field: str | None = Field(
        None, description="The field at fault; left out when it is not a matter of one field."
    )
    timestamp: Instant = Field(description="When it happened.")
    request_id: str = Field(
        description="Id of the request, as in the header X-Request-ID. The log has it, too.",
        examples=["0f8fad5bd9cb469fa16570867728950e"],
    )


class ErrorBody(BaseModel):
    """The one shape of every error."""

    error: ErrorDetails = Field(description="Why, for programs and people.")
    detail: str = Field(description="The message once more, where older clients look for it.")
