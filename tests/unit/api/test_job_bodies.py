"""What a job tells about itself while it waits, when it failed, when it was cancelled."""

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from tests.fakes.api_site import ApiSite
from videoannotator.domain.failures import Code, Failure
from videoannotator.domain.jobs import AttemptOutcome, RunState, WorkerState
from videoannotator.store.events import state_data
from videoannotator.store.rows import Changes, JobRows

UNSEEN = "waiting for the scheduler to look"
BROKEN = Failure(
    code=Code.MEDIA_ERROR,
    message="Frame 91 cannot be decoded.",
    stage="decode",
    position_seconds=3.64,
    log_tail=("opening", "broken"),
)


async def submit(site: ApiSite, pipelines: str = "scene_detection,voice_activity") -> str:
    answer = await site.admin.post(
        "/api/v1/jobs",
        files={"video": ("clip.mp4", b"bytes")},
        data={"selected_pipelines": pipelines},
    )
    return str(answer.json()["id"])


async def shown(site: ApiSite, job_id: str) -> dict[str, Any]:
    job: dict[str, Any] = (await site.admin.get(f"/api/v1/jobs/{job_id}")).json()
    return job


def ended(rows: JobRows, now: datetime, states: list[RunState], failure: Failure | None) -> Changes:
    runs = zip(rows.runs, states, strict=True)
    return Changes(
        runs=tuple(
            replace(run, state=state, finished_at=now, failure=failure) for run, state in runs
        ),
        attempts=tuple(
            replace(each, over_at=now, outcome=AttemptOutcome.FAILED) for each in rows.attempts
        ),
        workers=tuple(replace(each, state=WorkerState.GONE, gone_at=now) for each in rows.workers),
    )


async def end(
    site: ApiSite, job_id: str, *states: RunState, failure: Failure | None = None
) -> None:
    await site.change(job_id, lambda rows, now: ended(rows, now, list(states), failure))


async def test_nothing_waits_silently(site: ApiSite) -> None:
    job = await shown(site, await submit(site))

    assert job["waiting_reason"] == UNSEEN
    assert [run["waiting_reason"] for run in job["runs"]] == [UNSEEN, UNSEEN]


async def test_a_reason_of_the_scheduler_goes_first(site: ApiSite) -> None:
    job_id = await submit(site)
    rows = await site.rows(job_id)
    async with site.scheduling() as transaction:
        await transaction.waiting(rows.runs[1].id, "no free slot", 4)

    job = await shown(site, job_id)

    assert job["waiting_reason"] == "no free slot"
    assert [run["waiting_reason"] for run in job["runs"]] == [UNSEEN, "no free slot"]


async def test_a_run_that_starts_waits_for_what_its_worker_waits_for(site: ApiSite) -> None:
    job_id = await submit(site)
    told = {"state": RunState.STARTING, "waiting_reason": "image is being pulled"}
    await site.change(
        job_id,
        lambda rows, _: Changes(runs=tuple(replace(run, **told) for run in rows.runs)),
    )

    job = await shown(site, job_id)

    assert job["waiting_reason"] == "image is being pulled"
    assert [run["waiting_reason"] for run in job["runs"]] == ["image is being pulled"] * 2


async def test_what_does_not_wait_has_no_reason(site: ApiSite) -> None:
    job_id = await submit(site)
    await site.start(job_id)

    job = await shown(site, job_id)

    assert job["waiting_reason"] is None
    assert [run["waiting_reason"] for run in job["runs"]] == [None, None]


@pytest.mark.parametrize(
    ("failure", "stage", "position"),
    [(BROKEN, "decode", 3.64), (replace(BROKEN, stage="", position_seconds=None), None, None)],
)
async def test_a_failure_says_where_it_happened(
    site: ApiSite, failure: Failure, stage: str | None, position: float | None
) -> None:
    job_id = await submit(site, "scene_detection")
    await site.start(job_id)
    await end(site, job_id, RunState.FAILED, failure=failure)

    error = (await shown(site, job_id))["runs"][0]["error"]
    results = (await site.admin.get(f"/api/v1/jobs/{job_id}/results")).json()

    assert error == {
        "code": "MEDIA_ERROR",
        "message": failure.message,
        "hint": failure.advice,
        "stage": stage,
        "position_seconds": position,
        "log_tail": ["opening", "broken"],
    }
    told = results["pipeline_results"]["scene_detection"]["error_message"]
    assert told == "Frame 91 cannot be decoded."


async def test_a_cancelled_job_keeps_the_progress_it_had_reached(site: ApiSite) -> None:
    job_id = await submit(site)
    await site.start(job_id)
    await site.progress(job_id, 4.0)
    await site.admin.post(f"/api/v1/jobs/{job_id}/cancel")
    await end(site, job_id, RunState.SUCCEEDED, RunState.CANCELLED)

    job, rows = await shown(site, job_id), await site.rows(job_id)

    assert (job["status"], job["progress"]) == ("cancelled", 0.7)
    assert [run["progress"] for run in job["runs"]] == [1.0, 0.4]
    assert state_data(rows)["progress"] == 0.7
    assert [run["progress"] for run in state_data(rows)["runs"]] == [1.0, 0.4]


async def test_the_schema_version_is_a_number(site: ApiSite) -> None:
    body = (await site.admin.get("/api/v1/system/database")).json()

    assert body["schema_version"] == 1
    assert body["statistics"]["total_annotations"] is None
