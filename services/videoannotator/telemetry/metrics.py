"""Metrics: every name in one place. For services alone, they need prometheus-client."""

from collections.abc import Iterable, Mapping
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

from videoannotator.domain.jobs import RunState, WorkerState

PREFIX = "videoannotator_"

#: Seconds. A request is answered in milliseconds; a tick reads a few rows.
QUICK = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.5, 5.0, 10.0)
#: Seconds. A worker starts in a second here, in minutes when an image must be pulled.
PATIENT = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)

#: Of a slot: the state of the worker that holds it, or that nobody can tell.
SLOT_STATES = ("launching", "up", "stopping", "unproven")

RUNS_ENDED = Counter(
    PREFIX + "runs_total",
    "Runs that ended, by what became of them; code is empty unless they failed.",
    ("pipeline", "outcome", "code"),
)
# Not `videoannotator_runs`: that is the family name of the counter above.
RUNS = Gauge(PREFIX + "runs_in_state", "Runs that are not over, by state.", ("state",))
WORKERS = Gauge(PREFIX + "workers_in_state", "Workers that are not gone, by state.", ("state",))
SLOTS = Gauge(
    PREFIX + "slots_in_state",
    "Slots that are held: launching, up, stopping, or unproven when nobody can tell whether the "
    "worker has ended.",
    ("state",),
)
SLOT_STOPPING_SECONDS = Gauge(
    PREFIX + "slot_stopping_seconds",
    "Age of the slot that has been held longest by a worker that is being ended; 0: none is.",
)
QUEUE_AGE_SECONDS = Gauge(
    PREFIX + "queue_age_seconds", "Age of the run that has waited longest; 0: none waits."
)
STUCK_JOBS = Gauge(
    PREFIX + "stuck_jobs", "Jobs that have a worker, and of which nothing has moved for an hour."
)
RUNS_WITHOUT_POD = Gauge(
    PREFIX + "runs_without_pod", "Runs at work of whose worker nothing is seen."
)
ORPHAN_PODS = Gauge(
    PREFIX + "orphan_pods", "What may still run of workers that are gone or that nobody knows."
)
ATTEMPTS = Counter(
    PREFIX + "attempts_total",
    "Attempts that ended: completed, failed or lost; why, and who pays for the next one.",
    ("pipeline", "outcome", "code", "budget"),
)
LAUNCH_SECONDS = Histogram(
    PREFIX + "launch_seconds",
    "Time of a worker in each phase: queued (the run waits for a slot), placed (until it has a "
    "node), pulled (until its process runs), started (until it answers), first_result (until its "
    "position moves), teardown (from the wish to end it to the proof).",
    ("pipeline", "phase"),
    buckets=PATIENT,
)
LAUNCH_ERRORS = Counter(
    PREFIX + "launch_errors_total",
    "Creates that the launcher refused or lost, by error.",
    ("error",),
)
WATCH_AGE_SECONDS = Gauge(
    PREFIX + "watch_age_seconds",
    "Time since the cluster last said anything on a watch: jobs or pods.",
    ("watch",),
)
WATCH_OUTCOMES = Counter(
    PREFIX + "watch_outcomes_total",
    "What happened to watches: "
    "list, watch, opened, event, closed, expired, refused, silent, broken.",
    ("watch", "outcome"),
)
DATABASE_UP = Gauge(
    PREFIX + "database_up", "1 while this process reaches its database, 0 while it does not."
)
RETRIES = Counter(
    PREFIX + "retries_total", "Attempts that are tried again, by cause.", ("pipeline", "code")
)
SUBMIT_TO_START = Histogram(
    PREFIX + "submit_to_start_seconds",
    "From the submission of a run to its worker's first answer.",
    ("pipeline",),
    buckets=PATIENT,
)
CANCEL_TO_SLOT_FREE = Histogram(
    PREFIX + "cancel_to_slot_free_seconds",
    "From a cancel to the proof that the worker is gone.",
    buckets=PATIENT,
)
RUN_SECONDS = Histogram(
    PREFIX + "run_seconds", "From a run's first launch to its end.", ("pipeline",), buckets=PATIENT
)
TICK_SECONDS = Histogram(PREFIX + "tick_seconds", "One look at the queue.", buckets=QUICK)
LEADER = Gauge(PREFIX + "leader", "1 while this scheduler leads, else 0.")
EPOCH = Gauge(PREFIX + "epoch", "Number of the leadership that this scheduler has or had.")
GPU_SECONDS = Counter(
    PREFIX + "gpu_seconds_total",
    "Time that GPUs were held, times their number; owner is the hash that labels in a cluster "
    "have.",
    ("pipeline", "owner"),
)
HTTP_REQUESTS = Counter(
    PREFIX + "http_requests_total",
    "Requests answered; route is the pattern, never the path.",
    ("route", "method", "status"),
)
HTTP_REQUEST_SECONDS = Histogram(
    PREFIX + "http_request_seconds",
    "From a request's head to the end of its answer.",
    ("route", "method"),
    buckets=QUICK,
)
RPCS = Counter(
    PREFIX + "rpcs_total",
    "Public gRPC calls answered; rpc is as JobService/GetJob.",
    ("rpc", "code"),
)
RPC_SECONDS = Histogram(
    PREFIX + "rpc_seconds",
    "From the beginning of a public gRPC call to its end.",
    ("rpc",),
    buckets=QUICK,
)
UPLOAD_BYTES = Counter(PREFIX + "upload_bytes_total", "Bytes of video taken.")


def show_runs(counts: Mapping[RunState, int]) -> None:
    """Sets the number of runs in every state; one that is not in `counts` has none."""
    _show(RUNS, RunState, counts)


def show_workers(counts: Mapping[WorkerState, int]) -> None:
    """Sets the number of workers in every state; one that is not in `counts` has none."""
    _show(WORKERS, WorkerState, counts)


def show_slots(counts: Mapping[str, int]) -> None:
    """Sets the number of slots in every state; one that is not in `counts` has none."""
    _show(SLOTS, SLOT_STATES, counts)


def exposition() -> tuple[bytes, str]:
    """All metrics as Prometheus reads them, and the content type."""
    return generate_latest(), CONTENT_TYPE_LATEST


def _show(gauge: Gauge, states: Iterable[str], counts: Mapping[Any, int]) -> None:
    known = {str(state): count for state, count in counts.items()}
    for state in states:
        gauge.labels(state=str(state)).set(known.get(str(state), 0))
