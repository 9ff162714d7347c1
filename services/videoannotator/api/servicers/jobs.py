"""JobService: every rpc is one use case."""

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from pydantic import ValidationError

from videoannotator.api.operations.assembly import Operations
from videoannotator.api.operations.watching import ENDING
from videoannotator.api.routes.listing import Wanted
from videoannotator.api.servicers.calls import Call, to_its_end
from videoannotator.api.servicers.job_messages import artifact_messages, job_message
from videoannotator.api.servicers.reading import chunks_of, header_of, part_of
from videoannotator.api.servicers.submitting import submit
from videoannotator.api.servicers.watch_messages import event_message
from videoannotator.blobs.interface import BlobStore
from videoannotator.domain.errors import InvalidRequest, Unavailable
from videoannotator.rpc.states import JOB_STATES_BACK
from videoannotator.rpc.well_known import timestamp_from
from videoannotator.v1 import job_pb2, job_pb2_grpc

SORTS = {
    job_pb2.JOB_ORDER_UNSPECIFIED: "newest",
    job_pb2.JOB_ORDER_NEWEST: "newest",
    job_pb2.JOB_ORDER_OLDEST: "oldest",
}


class JobServicer(job_pb2_grpc.JobServiceServicer):
    """Takes a message apart, calls the use case, puts its result into a message."""

    def __init__(self, operations: Operations, blobs: BlobStore) -> None:
        """`operations` are those of every face; `blobs` holds uploads and results."""
        self._use = operations
        self._blobs = blobs

    async def SubmitJob(  # noqa: N802
        self, messages: AsyncIterator[job_pb2.SubmitJobRequest], call: Call
    ) -> job_pb2.SubmitJobResponse:
        """Stores a job on an upload, or on a stored video."""
        rows = await submit(self._use.jobs, self._blobs, call.caller, messages)
        return job_pb2.SubmitJobResponse(job=job_message(rows))

    async def GetJob(  # noqa: N802
        self, request: job_pb2.GetJobRequest, call: Call
    ) -> job_pb2.GetJobResponse:
        """One job with its files."""
        rows, files = await self._use.jobs.show(call.caller, request.job_id)
        return job_pb2.GetJobResponse(job=job_message(rows, files))

    async def ListJobs(  # noqa: N802
        self, request: job_pb2.ListJobsRequest, call: Call
    ) -> job_pb2.ListJobsResponse:
        """One page of jobs."""
        which = wanted(request)
        answer = job_pb2.ListJobsResponse(page=which.page, per_page=which.per_page)
        if which.status_filter and which.state() is None:
            return answer
        page = await self._use.jobs.list(call.caller, which.filter(), which.page, which.per_page)
        answer.total = page.total
        answer.jobs.extend(job_message(rows) for rows in page.jobs)
        return answer

    async def CancelJob(  # noqa: N802
        self, request: job_pb2.CancelJobRequest, call: Call
    ) -> job_pb2.CancelJobResponse:
        """Asks for the end of a job."""
        rows = await self._use.jobs.cancel(call.caller, request.job_id)
        files = await self._use.jobs.artifacts(call.caller, request.job_id)
        return job_pb2.CancelJobResponse(job=job_message(rows, files))

    async def DeleteJob(  # noqa: N802
        self, request: job_pb2.DeleteJobRequest, call: Call
    ) -> job_pb2.DeleteJobResponse:
        """Hides a job and asks for its end."""
        await self._use.jobs.delete(call.caller, request.job_id)
        return job_pb2.DeleteJobResponse()

    async def WatchJob(  # noqa: N802
        self, request: job_pb2.WatchJobRequest, call: Call
    ) -> AsyncIterator[job_pb2.WatchJobResponse]:
        """Tells what happens to a job until it has ended."""
        last_id = request.after_event_id if request.HasField("after_event_id") else None
        if last_id is not None and last_id < 0:
            raise InvalidRequest(
                "An event id is not negative.", hint="Leave it out to begin with the job's state."
            )
        begun = self._use.watching.watch_job(call.caller, request.job_id, last_id)
        messages: Any = await to_its_end(begun)
        if messages is None:
            return
        async with aclosing(messages):
            async for message in messages:
                yield event_message(message)
                if message.kind in ENDING:
                    return
        raise Unavailable(
            "The server stops.", hint="Watch again, after the last event id that you have seen."
        )

    async def ListArtifacts(  # noqa: N802
        self, request: job_pb2.ListArtifactsRequest, call: Call
    ) -> job_pb2.ListArtifactsResponse:
        """Every result file of a job."""
        results = await self._use.results.results(call.caller, request.job_id)
        return job_pb2.ListArtifactsResponse(artifacts=artifact_messages(results))

    async def ReadArtifact(  # noqa: N802
        self, request: job_pb2.ReadArtifactRequest, call: Call
    ) -> AsyncIterator[job_pb2.ReadArtifactResponse]:
        """What a file is, then its bytes."""
        found = self._use.results.file(call.caller, request.job_id, request.artifact_id)
        file = await to_its_end(found)
        start, end = part_of(request, file)
        yield job_pb2.ReadArtifactResponse(header=header_of(file))
        async with aclosing(chunks_of(self._blobs, file.key, start, end)) as chunks:
            async for chunk in chunks:
                yield job_pb2.ReadArtifactResponse(chunk=chunk)


def wanted(request: job_pb2.ListJobsRequest) -> Wanted:
    """The list that is asked for, by the rules of REST. Raises: InvalidRequest."""
    given: dict[str, Any] = {
        "page": request.page or None,
        "per_page": request.per_page or None,
        "status_filter": JOB_STATES_BACK.get(request.status, str(request.status or "")) or None,
        "pipeline": request.pipeline or None,
        "owner": request.owner or None,
        "search": request.search or None,
        "sort": SORTS.get(request.sort, ""),
    }
    for name in ("created_after", "created_before"):
        if request.HasField(name):
            given[name] = timestamp_from(getattr(request, name))
    try:
        return Wanted(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise _invalid(error) from error


def _invalid(error: ValidationError) -> InvalidRequest:
    first = error.errors(include_url=False, include_input=False)[0]
    field = str(first["loc"][0])
    return InvalidRequest(
        f"{field}: {first['msg']}.", hint="Correct the field and ask again.", field=field
    )
