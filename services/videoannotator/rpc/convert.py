"""Domain records as protobuf messages, and back. Total: every field is carried both ways."""

from fractions import Fraction
from typing import Any

from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import Progress
from videoannotator.domain.videos import AudioStream, Probe, VideoStream
from videoannotator.rpc.well_known import struct_from, struct_to
from videoannotator.rpc.work import (
    Accepted,
    Assignment,
    Completed,
    Description,
    LogLine,
    WorkEvent,
)
from videoannotator.v1 import inference_pb2, log_pb2, media_pb2

LEVELS = {
    "debug": log_pb2.LOG_LEVEL_DEBUG,
    "info": log_pb2.LOG_LEVEL_INFO,
    "warning": log_pb2.LOG_LEVEL_WARNING,
    "error": log_pb2.LOG_LEVEL_ERROR,
}
LEVEL_NAMES = {number: name for name, number in LEVELS.items()}


def rational_to(value: Fraction) -> media_pb2.Rational:
    """A fraction as a message."""
    return media_pb2.Rational(numerator=value.numerator, denominator=value.denominator)


def rational_from(message: media_pb2.Rational) -> Fraction:
    """A message as a fraction; one without a denominator counts as a whole number."""
    return Fraction(message.numerator, message.denominator or 1)


def video_stream_to(stream: VideoStream) -> media_pb2.VideoStream:
    """The picture's facts as a message."""
    rate = stream.mean_frame_rate
    return media_pb2.VideoStream(
        codec=stream.codec,
        width_pixels=stream.width,
        height_pixels=stream.height,
        rotation_degrees=stream.rotation,
        mean_frame_rate=None if rate is None else rational_to(rate),
        variable_frame_rate=stream.variable_frame_rate,
        sample_aspect_ratio=rational_to(stream.sample_aspect_ratio),
        start_seconds=stream.start_seconds,
        duration_seconds=stream.duration_seconds,
    )


def video_stream_from(message: media_pb2.VideoStream) -> VideoStream:
    """The picture's facts from a message; a missing aspect ratio is 1."""
    rate = rational_from(message.mean_frame_rate) if message.HasField("mean_frame_rate") else None
    square = not message.HasField("sample_aspect_ratio")
    return VideoStream(
        codec=message.codec,
        width=message.width_pixels,
        height=message.height_pixels,
        rotation=message.rotation_degrees,
        mean_frame_rate=rate,
        variable_frame_rate=message.variable_frame_rate,
        sample_aspect_ratio=Fraction(1) if square else rational_from(message.sample_aspect_ratio),
        start_seconds=message.start_seconds,
        duration_seconds=message.duration_seconds,
    )


def audio_stream_to(stream: AudioStream) -> media_pb2.AudioStream:
    """The sound's facts as a message."""
    return media_pb2.AudioStream(
        codec=stream.codec,
        sample_rate_hertz=stream.sample_rate,
        channels=stream.channels,
        layout=stream.layout,
        start_seconds=stream.start_seconds,
        duration_seconds=stream.duration_seconds,
    )


def audio_stream_from(message: media_pb2.AudioStream) -> AudioStream:
    """The sound's facts from a message."""
    return AudioStream(
        codec=message.codec,
        sample_rate=message.sample_rate_hertz,
        channels=message.channels,
        layout=message.layout,
        start_seconds=message.start_seconds,
        duration_seconds=message.duration_seconds,
    )


def probe_to(probe: Probe) -> media_pb2.Probe:
    """What a video is, as a message."""
    return media_pb2.Probe(
        container=probe.container,
        duration_seconds=probe.duration_seconds,
        start_seconds=probe.start_seconds,
        video=None if probe.video is None else video_stream_to(probe.video),
        audio=None if probe.audio is None else audio_stream_to(probe.audio),
    )


def probe_from(message: media_pb2.Probe) -> Probe:
    """What a video is, from a message."""
    return Probe(
        container=message.container,
        duration_seconds=message.duration_seconds,
        start_seconds=message.start_seconds,
        video=video_stream_from(message.video) if message.HasField("video") else None,
        audio=audio_stream_from(message.audio) if message.HasField("audio") else None,
    )


def progress_to(progress: Progress) -> inference_pb2.Progress:
    """How far a run is, as a message."""
    return inference_pb2.Progress(
        stage=progress.stage,
        position_seconds=progress.position_seconds,
        duration_seconds=progress.duration_seconds,
        rate=progress.rate,
    )


def progress_from(message: inference_pb2.Progress) -> Progress:
    """How far a run is, from a message."""
    return Progress(
        stage=message.stage,
        position_seconds=message.position_seconds,
        duration_seconds=message.duration_seconds,
        rate=message.rate,
    )


def failure_to(failure: Failure) -> inference_pb2.Failed:
    """Why an attempt failed, as a message. Log lines travel on their own, before it."""
    return inference_pb2.Failed(
        code=failure.code.value,
        message=failure.message,
        hint=failure.hint,
        stage=failure.stage,
        position_seconds=failure.position_seconds,
    )


def failure_from(message: inference_pb2.Failed, log_tail: tuple[str, ...] = ()) -> Failure:
    """Why an attempt failed, from a message. A code of a newer program is a PIPELINE_ERROR."""
    known = message.code in Code.__members__
    return Failure(
        code=Code(message.code) if known else Code.PIPELINE_ERROR,
        message=message.message,
        hint=message.hint,
        stage=message.stage,
        position_seconds=message.position_seconds if message.HasField("position_seconds") else None,
        log_tail=log_tail,
    )


def log_to(line: LogLine) -> inference_pb2.Log:
    """A log line as a message."""
    return inference_pb2.Log(
        level=LEVELS[line.level], message=line.message, told_before=line.told_before
    )


def log_from(message: inference_pb2.Log) -> LogLine:
    """A log line from a message; a level not said, or not known, is info."""
    level = LEVEL_NAMES.get(message.level, "info")
    return LogLine(level=level, message=message.message, told_before=message.told_before)


def accepted_to(accepted: Accepted) -> inference_pb2.Accepted:
    """The first word of a worker as a message."""
    probe = None if accepted.probe is None else probe_to(accepted.probe)
    return inference_pb2.Accepted(probe=probe, device=accepted.device)


def accepted_from(message: inference_pb2.Accepted) -> Accepted:
    """The first word of a worker from a message."""
    probe = probe_from(message.probe) if message.HasField("probe") else None
    return Accepted(probe=probe, device=message.device)


def completed_to(completed: Completed) -> inference_pb2.Completed:
    """The good end as a message."""
    manifest = inference_pb2.Manifest(
        sha256=completed.manifest_sha256, files=completed.files, summary=completed.summary
    )
    return inference_pb2.Completed(manifest=manifest)


def completed_from(message: inference_pb2.Completed) -> Completed:
    """The good end from a message."""
    manifest = message.manifest
    return Completed(
        manifest_sha256=manifest.sha256,
        files=tuple(manifest.files),
        summary=dict(manifest.summary),
    )


def event_to(event: WorkEvent) -> inference_pb2.AnnotateResponse:
    """One message of the stream."""
    match event:
        case Accepted():
            return inference_pb2.AnnotateResponse(accepted=accepted_to(event))
        case Progress():
            return inference_pb2.AnnotateResponse(progress=progress_to(event))
        case LogLine():
            return inference_pb2.AnnotateResponse(log=log_to(event))
        case Completed():
            return inference_pb2.AnnotateResponse(completed=completed_to(event))
        case Failure():
            return inference_pb2.AnnotateResponse(failed=failure_to(event))


def event_from(message: inference_pb2.AnnotateResponse) -> WorkEvent | None:
    """What one message of the stream says; None when only a newer program would understand it."""
    match message.WhichOneof("event"):
        case "accepted":
            return accepted_from(message.accepted)
        case "progress":
            return progress_from(message.progress)
        case "log":
            return log_from(message.log)
        case "completed":
            return completed_from(message.completed)
        case "failed":
            return failure_from(message.failed)
        case _:
            return None


def assignment_to(assignment: Assignment, epoch: int) -> inference_pb2.AnnotateRequest:
    """A request for one attempt, by the leader with this epoch."""
    return inference_pb2.AnnotateRequest(
        run_id=assignment.run_id,
        attempt=assignment.attempt,
        epoch=epoch,
        pipeline=assignment.pipeline,
        parameters=struct_to(assignment.parameters),
        input=_input_to(assignment),
        outputs=_outputs_to(assignment),
        ignored_parameters=assignment.ignored_parameters,
        retries=assignment.retries,
    )


def _input_to(assignment: Assignment) -> inference_pb2.Input:
    source: dict[str, Any] = {"path": assignment.path}
    if assignment.url is not None:
        source = {"url": assignment.url}
    return inference_pb2.Input(
        video_id=assignment.video_id,
        sha256=assignment.sha256,
        size_bytes=assignment.size_bytes,
        **source,
    )


def _outputs_to(assignment: Assignment) -> inference_pb2.Outputs:
    if assignment.signed is not None:
        signed = inference_pb2.SignedOutputs(
            urls=assignment.signed, manifest_url=assignment.manifest_url or ""
        )
        return inference_pb2.Outputs(signed=signed)
    return inference_pb2.Outputs(directory=assignment.directory)


def assignment_from(message: inference_pb2.AnnotateRequest) -> Assignment:
    """The attempt that a request asks for; its epoch is read apart."""
    source, outputs = message.input, message.outputs
    where, target = source.WhichOneof("source"), outputs.WhichOneof("target")
    return Assignment(
        run_id=message.run_id,
        attempt=message.attempt,
        pipeline=message.pipeline,
        parameters=struct_from(message.parameters),
        ignored_parameters=dict(message.ignored_parameters),
        retries=message.retries,
        video_id=source.video_id,
        path=source.path if where == "path" else None,
        url=source.url if where == "url" else None,
        sha256=source.sha256,
        size_bytes=source.size_bytes,
        directory=outputs.directory if target == "directory" else None,
        signed=dict(outputs.signed.urls) if target == "signed" else None,
        manifest_url=outputs.signed.manifest_url or None,
    )


def description_to(description: Description) -> inference_pb2.DescribeResponse:
    """What a worker is, as a message."""
    return inference_pb2.DescribeResponse(
        worker_id=description.worker_id,
        pipeline=description.pipeline,
        pipeline_version=description.pipeline_version,
        product_version=description.product_version,
        identity=description.identity,
        attempt=description.attempt,
    )


def description_from(message: inference_pb2.DescribeResponse) -> Description:
    """What a worker is, from a message."""
    return Description(
        worker_id=message.worker_id,
        pipeline=message.pipeline,
        pipeline_version=message.pipeline_version,
        product_version=message.product_version,
        identity=message.identity,
        attempt=message.attempt,
    )
