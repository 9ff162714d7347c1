"""Metrics: names that dashboards rely on."""

from videoannotator.domain.jobs import RunState, WorkerState
from videoannotator.telemetry import metrics

NAMES = {
    "videoannotator_attempts_total",
    "videoannotator_cancel_to_slot_free_seconds",
    "videoannotator_database_up",
    "videoannotator_epoch",
    "videoannotator_gpu_seconds_total",
    "videoannotator_http_request_seconds",
    "videoannotator_http_requests_total",
    "videoannotator_launch_errors_total",
    "videoannotator_launch_seconds",
    "videoannotator_leader",
    "videoannotator_orphan_pods",
    "videoannotator_queue_age_seconds",
    "videoannotator_retries_total",
    "videoannotator_rpc_seconds",
    "videoannotator_rpcs_total",
    "videoannotator_run_seconds",
    "videoannotator_runs_in_state",
    "videoannotator_runs_total",
    "videoannotator_runs_without_pod",
    "videoannotator_slot_stopping_seconds",
    "videoannotator_slots_in_state",
    "videoannotator_stuck_jobs",
    "videoannotator_submit_to_start_seconds",
    "videoannotator_tick_seconds",
    "videoannotator_upload_bytes_total",
    "videoannotator_watch_age_seconds",
    "videoannotator_watch_outcomes_total",
    "videoannotator_workers_in_state",
}


def exposed() -> str:
    content, media_type = metrics.exposition()
    assert media_type.startswith("text/plain")
    return content.decode()


def test_the_names_are_those_that_dashboards_know() -> None:
    declared = {
        line.split()[2] for line in exposed().splitlines() if line.startswith("# HELP videoannot")
    }

    assert {name for name in declared if not name.endswith("_created")} == NAMES


def test_a_state_that_is_empty_again_is_shown_as_zero() -> None:
    metrics.show_runs({RunState.RUNNING: 2})
    metrics.show_runs({RunState.PENDING: 1})

    assert 'videoannotator_runs_in_state{state="running"} 0.0' in exposed()
    assert 'videoannotator_runs_in_state{state="pending"} 1.0' in exposed()


def test_workers_are_shown_by_state() -> None:
    metrics.show_workers({WorkerState.UP: 3})

    assert 'videoannotator_workers_in_state{state="up"} 3.0' in exposed()
