"""Both faces tell the same, field by field, and every error of ours is told by both."""

import inspect
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import httpx
import pytest

from tests.contracts.test_faces_pipelines import REST_ONLY as PIPELINE_REST_ONLY
from tests.fakes.api_site import ApiSite
from tests.fakes.faces import Asked, Face, Rest, Rpc, opened_face
from videoannotator.api.bodies.files import ArtifactBody
from videoannotator.api.bodies.jobs import FailureBody, JobBody, JobListBody, RunBody
from videoannotator.api.bodies.pipelines import (
    AvailabilityBody,
    ErrorItem,
    OutputBody,
    PipelineBody,
    ResourcesBody,
    ValidationBody,
    WarningItem,
)
from videoannotator.api.problems import ANSWERS, answer_of
from videoannotator.domain import errors
from videoannotator.domain.errors import VideoAnnotatorError
from videoannotator.domain.failures import Code, Failure
from videoannotator.rpc.status import CODES, TRAILER, code_of, error_of, packed
from videoannotator.v1 import job_pb2, pipeline_pb2

#: Names that the public server's clients know, of things that this one has not, or not there.
REST_ONLY = {
    JobBody: {
        "actual_cost",
        "batch_id",
        "estimated_cost",
        "result_path",
        "storage_path",
        "video_path",
    },
    ArtifactBody: {"download_url"},
    PipelineBody: PIPELINE_REST_ONLY,
    ErrorItem: {"error_code", "severity"},
    WarningItem: {"severity"},
}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (JobBody, job_pb2.Job),
        (JobListBody, job_pb2.ListJobsResponse),
        (RunBody, job_pb2.Run),
        (FailureBody, job_pb2.RunError),
        (ArtifactBody, job_pb2.Artifact),
        (PipelineBody, pipeline_pb2.Pipeline),
        (OutputBody, pipeline_pb2.PipelineOutput),
        (AvailabilityBody, pipeline_pb2.Availability),
        (ResourcesBody, pipeline_pb2.PipelineResources),
        (ValidationBody, pipeline_pb2.ValidateParametersResponse),
        (ErrorItem, pipeline_pb2.ParameterError),
        (WarningItem, pipeline_pb2.ParameterWarning),
    ],
)
def test_a_message_has_the_fields_of_the_body(body: Any, message: Any) -> None:
    fields = {field.name for field in message.DESCRIPTOR.fields}

    assert fields == set(body.model_fields) - REST_ONLY.get(body, set())


@pytest.fixture
async def both(site: ApiSite) -> AsyncIterator[tuple[Face, Face]]:
    """REST and gRPC of one site."""
    async with opened_face("rest", site) as rest, opened_face("grpc", site) as rpc:
        yield rest, rpc


def bare(job: dict[str, Any]) -> dict[str, Any]:
    """A job of REST as gRPC tells it: files with their ids are compared elsewhere."""
    left = {name: value for name, value in job.items() if name not in REST_ONLY[JobBody]}
    left["runs"] = [{**run, "artifacts": len(run["artifacts"] or ())} for run in job["runs"]]
    return left


async def test_a_job_is_the_same_in_every_state(site: ApiSite, both: tuple[Face, Face]) -> None:
    rest, rpc = both
    config = {"scene_detection": {"treshold": 1, "x": [1.5, None, True, {"y": "ü"}]}}
    job_id = (await rpc.submit(Asked(config=config, priority=7)))["id"]

    async def told() -> None:
        assert bare(await rest.get(job_id)) == bare(await rpc.get(job_id))
        lists = [await face.listed() for face in both]
        assert [bare(job) for job in lists[0]["jobs"]] == [bare(job) for job in lists[1]["jobs"]]
        assert lists[0]["total"] == lists[1]["total"] == 1

    await told()
    await site.start(job_id)
    await site.progress(job_id, 4.0)
    await told()
    assert (await rpc.get(job_id))["runs"][0]["eta_seconds"] == 3.0


async def test_a_job_with_results_is_the_same(site: ApiSite, both: tuple[Face, Face]) -> None:
    rest, rpc = both
    job_id = (await rest.submit(Asked()))["id"]
    await site.finish(job_id)

    one, other = await rest.get(job_id), await rpc.get(job_id)

    assert bare(one) == bare(other)
    assert other["runs"][0]["artifacts"] == await rpc.files(job_id)
    assert other["completed_at"] is not None


async def test_a_job_that_failed_is_the_same(site: ApiSite, both: tuple[Face, Face]) -> None:
    rest, rpc = both
    job_id = (await rest.submit(Asked()))["id"]
    failure = Failure(
        code=Code.MEDIA_ERROR, message="No.", position_seconds=1.5, log_tail=("one", "two")
    )
    await site.fail(job_id, failure)

    one, other = await rest.get(job_id), await rpc.get(job_id)

    assert bare(one) == bare(other)
    assert other["status"] == "failed"
    assert other["runs"][0]["error"]["log_tail"] == ["one", "two"]
    assert other["runs"][0]["error"]["position_seconds"] == 1.5


async def test_pipelines_are_the_same(both: tuple[Face, Face]) -> None:
    rest, rpc = both

    for one, other in zip(await rest.pipelines(), await rpc.pipelines(), strict=True):
        assert {name: one[name] for name in other} == other


def tree(kind: type[VideoAnnotatorError] = VideoAnnotatorError) -> Iterator[Any]:
    """A class of errors and all below it that are the product's."""
    yield kind
    for below in kind.__subclasses__():
        if below.__module__ == errors.__name__:
            yield from tree(below)


def test_both_tables_name_the_whole_tree_and_nothing_else() -> None:
    whole = set(tree())

    assert set(ANSWERS) == whole
    assert set(CODES) == whole


@pytest.mark.parametrize("kind", list(tree()), ids=lambda kind: kind.__name__)
async def test_an_error_is_told_by_both_tables(
    site: ApiSite, both: tuple[Rest, Rpc], kind: type[VideoAnnotatorError]
) -> None:
    error = kind("Told.", hint="Do.")
    fields = inspect.signature(kind.__init__).parameters
    error.field = "f" if "field" in fields else None

    class Failing:
        def __getattr__(self, name: str) -> Any:
            async def fail(*given: Any) -> Any:
                raise error

            return fail

    object.__setattr__(site.operations.jobs, "jobs", Failing())
    # Most are no documented answers of this route, and the site's own clients would say so.
    plainly = httpx.ASGITransport(site.app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=plainly, headers=site.admin.headers) as client:
        answer = await client.get("http://site/api/v1/jobs/x")
    request = job_pb2.GetJobRequest(job_id="x")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await both[1].jobs.GetJob(request, metadata=both[1]._metadata)

    # An error of a job is named after it on the way.
    expected = answer_of(error)
    body = answer.json()["error"]
    trailers: Any = dict(caught.value.trailing_metadata() or ())
    meant = error_of(caught.value)
    assert (answer.status_code, body["code"]) == (expected.status, expected.code)
    assert caught.value.code() is code_of(error)
    assert trailers["videoannotator-code"] == expected.code
    assert type(meant) is kind
    assert (meant.message, meant.field) == (body["message"], body.get("field"))
    assert trailers[TRAILER] == packed(meant)
