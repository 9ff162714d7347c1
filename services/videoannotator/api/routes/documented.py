"""Parameters that several routes share, and what they mean."""

from typing import Annotated, Any

from fastapi import Header, Path

ID = "4f1c0d9e6f7a4f0f9d6c2a1b3c4d5e6f"
CONDITION = "ETags that the caller has. When one of them fits, the answer is 304 without a body."
RANGE = "Which bytes to send, as `bytes=0-99`. Several ranges at once are answered with everything."
IF_RANGE = "The ETag that `Range` is meant for. When it is another by now, everything is sent."

JobId = Annotated[str, Path(description="Id of the job.", examples=[ID])]
WorkerId = Annotated[str, Path(description="Id of the worker.", examples=["3b9d1c2a7f60"])]
KeyId = Annotated[str, Path(description="Id of the key.", examples=[ID])]
ArtifactId = Annotated[str, Path(description="Id of the file.", examples=[ID])]
PipelineName = Annotated[
    str, Path(description="Name of the pipeline.", examples=["scene_detection"])
]
IfNoneMatch = Annotated[
    str | None,
    Header(alias="If-None-Match", description=CONDITION, examples=['"5d41402abc4b2a76"']),
]
Range = Annotated[str | None, Header(alias="Range", description=RANGE, examples=["bytes=0-99"])]
IfRange = Annotated[
    str | None, Header(alias="If-Range", description=IF_RANGE, examples=['"5d41402abc4b2a76"'])
]

#: A form has a file or a video's id. It is read while it arrives, so the framework sees none of it.
FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "config": {
            "type": "string",
            "contentMediaType": "application/json",
            "maxLength": 262_144,
            "description": "Parameters by pipeline, as a JSON object. What stands at the top "
            "counts for every pipeline. Nothing: all defaults.",
            "examples": ['{"scene_detection": {"min_scene_seconds": 1.0}}'],
        },
        "selected_pipelines": {
            "type": "string",
            "description": "Names with commas between, or a JSON list of names. "
            "Nothing: every pipeline that can run here.",
            "examples": ["scene_detection,voice_activity"],
        },
        "priority": {
            "type": "integer",
            "minimum": -100,
            "maximum": 100,
            "default": 0,
            "description": "Jobs of a higher priority go first. Above 0 for administrators alone.",
        },
    },
}
VIDEO = {"type": "string", "format": "binary", "description": "The video file."}
VIDEO_ID = {
    "type": "string",
    "description": "Id of a stored video, as `video_id` of a job has it. Empty: none.",
}


def _form(**video: Any) -> dict[str, Any]:
    return {**FORM, "properties": {**video, **FORM["properties"]}}


SUBMISSION: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "Either `video` or `video_id`, and how to annotate it.",
        "content": {
            "multipart/form-data": {
                "schema": {
                    **_form(video=VIDEO, video_id=VIDEO_ID),
                    "oneOf": [{"required": ["video"]}, {"required": ["video_id"]}],
                }
            },
            "application/x-www-form-urlencoded": {
                "schema": {
                    **_form(video_id={**VIDEO_ID, "minLength": 1}),
                    "required": ["video_id"],
                }
            },
        },
    },
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
            "example": "7c9e6679-7425-40de-944b-e07fc1f90ae7",
            "description": "Makes it safe to send the same request again: the same key and "
            "request give the same job, the same key and another request 409.",
        }
    ],
}
