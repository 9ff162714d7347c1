"""Records to rows and back: one pair of functions per record."""

from collections.abc import Mapping
from fractions import Fraction
from math import isfinite
from typing import Any

from videoannotator.domain.access import ApiKey, User
from videoannotator.domain.events import Event
from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import (
    Artifact,
    Attempt,
    Job,
    Progress,
    Resources,
    Run,
    Wants,
    Worker,
)
from videoannotator.domain.leadership import Leadership
from videoannotator.domain.videos import AudioStream, Probe, Video, VideoStream
from videoannotator.store import tables as t

Values = dict[str, Any]
Row = Mapping[Any, Any]  # by column


def _finite(value: float) -> float:
    """`value`, or 0.0 (unknown) for what JSON cannot hold; workers report these numbers."""
    return value if isfinite(value) else 0.0


def failure_document(failure: Failure | None) -> Values | None:
    """As JSON."""
    if failure is None:
        return None
    return {
        "code": failure.code.value,
        "message": failure.message,
        "hint": failure.hint,
        "stage": failure.stage,
        "position_seconds": None
        if failure.position_seconds is None
        else _finite(failure.position_seconds),
        "log_tail": list(failure.log_tail),
    }


def failure_of(document: Mapping[str, Any] | None) -> Failure | None:
    """From JSON."""
    if document is None:
        return None
    return Failure(
        code=Code(document["code"]),
        message=document["message"],
        hint=document["hint"],
        stage=document["stage"],
        position_seconds=document["position_seconds"],
        log_tail=tuple(document["log_tail"]),
    )


def progress_document(progress: Progress) -> Values:
    """As JSON."""
    return {
        "stage": progress.stage,
        "position_seconds": _finite(progress.position_seconds),
        "duration_seconds": _finite(progress.duration_seconds),
        "rate": _finite(progress.rate),
    }


def progress_of(document: Mapping[str, Any]) -> Progress:
    """From JSON."""
    return Progress(**document)


def resources_document(resources: Resources) -> Values:
    """As JSON."""
    return {
        "gpus": resources.gpus,
        "cpus": resources.cpus,
        "memory_bytes": resources.memory_bytes,
    }


def resources_of(document: Mapping[str, Any]) -> Resources:
    """From JSON."""
    return Resources(**document)


def probe_document(probe: Probe | None) -> Values | None:
    """As JSON; fractions as "30000/1001"."""
    if probe is None:
        return None
    return {
        "container": probe.container,
        "duration_seconds": _finite(probe.duration_seconds),
        "start_seconds": _finite(probe.start_seconds),
        "video": _video_stream_document(probe.video),
        "audio": _audio_stream_document(probe.audio),
    }


def probe_of(document: Mapping[str, Any] | None) -> Probe | None:
    """From JSON."""
    if document is None:
        return None
    audio = document["audio"]
    return Probe(
        container=document["container"],
        duration_seconds=document["duration_seconds"],
        start_seconds=document["start_seconds"],
        video=_video_stream_of(document["video"]),
        audio=None if audio is None else AudioStream(**audio),
    )


def _video_stream_document(stream: VideoStream | None) -> Values | None:
    if stream is None:
        return None
    rate = stream.mean_frame_rate
    return {
        "codec": stream.codec,
        "width": stream.width,
        "height": stream.height,
        "rotation": stream.rotation,
        "mean_frame_rate": None if rate is None else str(rate),
        "variable_frame_rate": stream.variable_frame_rate,
        "sample_aspect_ratio": str(stream.sample_aspect_ratio),
        "start_seconds": _finite(stream.start_seconds),
        "duration_seconds": _finite(stream.duration_seconds),
    }


def _video_stream_of(document: Mapping[str, Any] | None) -> VideoStream | None:
    if document is None:
        return None
    rate = document["mean_frame_rate"]
    exact = {
        "mean_frame_rate": None if rate is None else Fraction(rate),
        "sample_aspect_ratio": Fraction(document["sample_aspect_ratio"]),
    }
    return VideoStream(**{**document, **exact})


def _audio_stream_document(stream: AudioStream | None) -> Values | None:
    if stream is None:
        return None
    return {
        "codec": stream.codec,
        "sample_rate": stream.sample_rate,
        "channels": stream.channels,
        "layout": stream.layout,
        "start_seconds": _finite(stream.start_seconds),
        "duration_seconds": _finite(stream.duration_seconds),
    }


def _own(record: Any, table: Any, **documents: Any) -> Values:
    """The fields of `record` that are columns of the same name, and `documents` for the others."""
    plain = {c.name: getattr(record, c.name) for c in table.c if c.name not in documents}
    return {**plain, **documents}


def _from(row: Row, table: Any, **parsed: Any) -> Values:
    """The columns of `table` in `row` by name; `parsed` for those that need more."""
    return {**{c.name: row[c] for c in table.c if c.name not in parsed}, **parsed}


def video_values(video: Video) -> Values:
    """As a row."""
    return _own(video, t.videos, probe=probe_document(video.probe))


def video_of(row: Row) -> Video:
    """From a row."""
    return Video(**_from(row, t.videos, probe=probe_of(row[t.videos.c.probe])))


def job_values(job: Job, request_sha256: str | None = None) -> Values:
    """As a row."""
    return _own(
        job,
        t.jobs,
        config=dict(job.config),
        cancel_requested_at=job.wants.cancel_requested_at,
        delete_requested_at=job.wants.delete_requested_at,
        request_sha256=request_sha256,
    )


def job_of(row: Row) -> Job:
    """From a row."""
    values = _from(row, t.jobs)
    del values["request_sha256"]
    wants = Wants(
        cancel_requested_at=values.pop("cancel_requested_at"),
        delete_requested_at=values.pop("delete_requested_at"),
    )
    return Job(**values, wants=wants)


def run_values(run: Run) -> Values:
    """As a row."""
    return _own(
        run,
        t.runs,
        parameters=dict(run.parameters),
        ignored_parameters=dict(run.ignored_parameters),
        resources=resources_document(run.resources),
        failure=failure_document(run.failure),
        progress=progress_document(run.progress),
        summary=dict(run.summary),
    )


def run_of(row: Row) -> Run:
    """From a row."""
    c = t.runs.c
    return Run(
        **_from(
            row,
            t.runs,
            resources=resources_of(row[c.resources]),
            failure=failure_of(row[c.failure]),
            progress=progress_of(row[c.progress]),
        )
    )


def attempt_values(attempt: Attempt) -> Values:
    """As a row."""
    return _own(attempt, t.attempts, failure=failure_document(attempt.failure))


def attempt_of(row: Row) -> Attempt:
    """From a row."""
    return Attempt(**_from(row, t.attempts, failure=failure_of(row[t.attempts.c.failure])))


def worker_values(worker: Worker) -> Values:
    """As a row."""
    return _own(
        worker,
        t.workers,
        body=dict(worker.body),
        gpus=list(worker.gpus),
        resources=resources_document(worker.resources),
        failure=failure_document(worker.failure),
    )


def worker_of(row: Row) -> Worker:
    """From a row."""
    c = t.workers.c
    return Worker(
        **_from(
            row,
            t.workers,
            gpus=tuple(row[c.gpus]),
            resources=resources_of(row[c.resources]),
            failure=failure_of(row[c.failure]),
        )
    )


def artifact_values(artifact: Artifact) -> Values:
    """As a row."""
    return _own(artifact, t.artifacts)


def artifact_of(row: Row) -> Artifact:
    """From a row."""
    return Artifact(**_from(row, t.artifacts))


def event_of(row: Row) -> Event:
    """From a row."""
    return Event(**_from(row, t.events))


def leadership_of(row: Row) -> Leadership:
    """From a row."""
    values = _from(row, t.leader)
    del values["id"]
    return Leadership(**values)


def user_values(user: User) -> Values:
    """As a row."""
    return _own(user, t.users)


def user_of(row: Row) -> User:
    """From a row."""
    return User(**_from(row, t.users))


def key_values(key: ApiKey) -> Values:
    """As a row."""
    return _own(key, t.api_keys)


def key_of(row: Row) -> ApiKey:
    """From a row."""
    return ApiKey(**_from(row, t.api_keys))
