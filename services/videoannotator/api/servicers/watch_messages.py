"""What is told to watchers, as messages."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from videoannotator.api.operations.watching import Message
from videoannotator.domain.events import EventKind
from videoannotator.domain.jobs import JobState, RunState
from videoannotator.rpc.convert import LEVELS
from videoannotator.rpc.states import EVENT_KINDS, JOB_STATES, RUN_STATES
from videoannotator.rpc.well_known import timestamp_to
from videoannotator.v1 import job_pb2


def event_message(message: Message) -> job_pb2.WatchJobResponse:
    """One thing to tell."""
    told = job_pb2.WatchJobResponse(
        kind=job_pb2.EVENT_KIND_HEARTBEAT,
        event_id=message.id,
        timestamp=_time(message.data["timestamp"]),
    )
    if message.kind is None:
        return told
    told.kind = EVENT_KINDS[message.kind]
    if message.kind is EventKind.LOG:
        told.log.CopyFrom(_log(message.data))
    else:
        told.job.CopyFrom(_job(message.data))
    return told


def _job(data: Mapping[str, Any]) -> job_pb2.JobStatus:
    return job_pb2.JobStatus(
        job_id=data["job_id"],
        status=JOB_STATES[JobState(data["status"])],
        progress=data["progress"],
        error_message=data["error_message"],
        deleted=data["deleted"],
        updated_at=_time(data["updated_at"]),
        started_at=_time(data["started_at"]),
        completed_at=_time(data["completed_at"]),
        runs=[_run(run) for run in data["runs"]],
    )


def _run(data: Mapping[str, Any]) -> job_pb2.RunStatus:
    error = data["error"]
    return job_pb2.RunStatus(
        run_id=data["run_id"],
        pipeline=data["pipeline"],
        status=RUN_STATES[RunState(data["status"])],
        attempt=data["attempt"],
        progress=data["progress"],
        stage=data["stage"],
        started_at=_time(data["started_at"]),
        finished_at=_time(data["finished_at"]),
        summary=data["summary"],
        error=job_pb2.RunError(**error) if error else None,
    )


def _log(data: Mapping[str, Any]) -> job_pb2.RunLog:
    return job_pb2.RunLog(
        run_id=data["run_id"],
        pipeline=data["pipeline"],
        level=LEVELS.get(data["level"]),
        message=data["message"],
    )


def _time(text: str | None) -> Timestamp | None:
    return None if text is None else timestamp_to(datetime.fromisoformat(text))
