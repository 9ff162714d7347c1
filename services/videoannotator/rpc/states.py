"""States and other words as numbers of the contracts, and back: one table each."""

from videoannotator.domain.events import EventKind
from videoannotator.domain.jobs import JobState, RunState
from videoannotator.domain.pipelines import Stability
from videoannotator.v1 import job_pb2, pipeline_pb2

JOB_STATES = {
    JobState.AWAITING_APPROVAL: job_pb2.JOB_STATE_AWAITING_APPROVAL,
    JobState.PENDING: job_pb2.JOB_STATE_PENDING,
    JobState.RUNNING: job_pb2.JOB_STATE_RUNNING,
    JobState.CANCELLING: job_pb2.JOB_STATE_CANCELLING,
    JobState.COMPLETED: job_pb2.JOB_STATE_COMPLETED,
    JobState.FAILED: job_pb2.JOB_STATE_FAILED,
    JobState.CANCELLED: job_pb2.JOB_STATE_CANCELLED,
}
JOB_STATES_BACK = {number: state for state, number in JOB_STATES.items()}

RUN_STATES = {
    RunState.PENDING: job_pb2.RUN_STATE_PENDING,
    RunState.STARTING: job_pb2.RUN_STATE_STARTING,
    RunState.RUNNING: job_pb2.RUN_STATE_RUNNING,
    RunState.CANCELLING: job_pb2.RUN_STATE_CANCELLING,
    RunState.SUCCEEDED: job_pb2.RUN_STATE_SUCCEEDED,
    RunState.FAILED: job_pb2.RUN_STATE_FAILED,
    RunState.CANCELLED: job_pb2.RUN_STATE_CANCELLED,
}

EVENT_KINDS = {
    EventKind.UPDATE: job_pb2.EVENT_KIND_UPDATE,
    EventKind.LOG: job_pb2.EVENT_KIND_LOG,
    EventKind.COMPLETE: job_pb2.EVENT_KIND_COMPLETE,
    EventKind.ERROR: job_pb2.EVENT_KIND_ERROR,
    EventKind.CANCELLED: job_pb2.EVENT_KIND_CANCELLED,
}

STABILITIES = {
    Stability.STABLE: pipeline_pb2.STABILITY_STABLE,
    Stability.BETA: pipeline_pb2.STABILITY_BETA,
    Stability.EXPERIMENTAL: pipeline_pb2.STABILITY_EXPERIMENTAL,
}
