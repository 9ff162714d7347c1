"""Jobs: submit, look, list, cancel, delete."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

from videoannotator.api.limits import PerMinute
from videoannotator.api.names import display_name
from videoannotator.api.operations.auditing import Hook, use_case
from videoannotator.api.operations.submission import Plan, Request, plan
from videoannotator.api.uploads import File, video_too_large
from videoannotator.api.wake import SchedulerClient
from videoannotator.blobs import keys
from videoannotator.blobs.interface import BlobStore
from videoannotator.domain.access import Principal
from videoannotator.domain.errors import (
    Forbidden,
    JobAlreadyEnded,
    JobNotFound,
    LimitReached,
)
from videoannotator.domain.jobs import Artifact
from videoannotator.domain.videos import Video
from videoannotator.pipelines.catalogue import Catalogue
from videoannotator.settings import ApiSettings
from videoannotator.store.audit import Used
from videoannotator.store.jobs import Jobs
from videoannotator.store.rows import JobFilter, JobRows, NewJob
from videoannotator.store.videos import Videos

FORM_BYTES = 1024 * 1024  # what a form may add to its file


Artifacts = list[Artifact]  # inside the class `list` is the method


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page of a list."""

    jobs: list[JobRows]
    total: int
    page: int
    per_page: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOperations:
    """What a caller may do with jobs."""

    jobs: Jobs
    videos: Videos
    blobs: BlobStore
    catalogue: Catalogue
    scheduler: SchedulerClient
    limits: ApiSettings
    uploads: PerMinute
    hook: Hook

    @use_case("upload.begin")
    async def admit(self, principal: Principal, announced_bytes: int) -> float:
        """Says whether an upload may begin, before its body is read; when it was counted.

        Raises: LimitReached, TooLarge.
        """
        if announced_bytes > self.limits.max_upload_bytes + FORM_BYTES:
            raise video_too_large(self.limits.max_upload_bytes)
        await self._check_bytes(principal, 0)
        return self.uploads.count(principal.user_id)

    @use_case("job.submit")
    async def submit(self, principal: Principal, request: Request, video: File | str) -> JobRows:
        """Stores a job on a new upload, or on the video of an id.

        The store writes it into the audit log, in the same transaction.
        Raises: InvalidRequest, InvalidConfig, PipelineUnavailable, Forbidden, VideoNotFound,
        LimitReached, IdempotencyMismatch.
        """
        checked = plan(request, self.catalogue, principal)
        if isinstance(video, str):
            owned = await self._own_video(principal, video)
            rows = await self._store(principal, checked, owned)
        else:
            rows = await self._submit_upload(principal, checked, video)
        self.scheduler.wake()
        return rows

    async def _own_video(self, principal: Principal, video_id: str) -> Video:
        video = await self.videos.get(principal, video_id)
        if video.owner_id != principal.user_id and not principal.sees_all:
            raise Forbidden("Only the owner of a video may annotate it.")
        return video

    async def _submit_upload(self, principal: Principal, checked: Plan, file: File) -> JobRows:
        await self._check_bytes(principal, file.stored.size_bytes)
        new = _video(principal, file)
        await self.blobs.move(file.key, new.key)
        rows: JobRows | None = None
        try:
            rows = await self._store(principal, checked, new, is_new=True)
            return rows
        finally:
            if rows is None or rows.video.id != new.id:
                await self._withdraw(new)

    async def _withdraw(self, video: Video) -> None:
        """Keeps nothing of a refused request, and the same bytes only once."""
        if await self.videos.drop_unused(video.id):
            await self.blobs.delete_prefix(keys.video_folder(video.owner_id, video.id))
            await self.videos.forget(video.id)

    async def _store(
        self, principal: Principal, checked: Plan, video: Video, *, is_new: bool = False
    ) -> JobRows:
        new = NewJob(
            owner_id=principal.user_id,
            video_id=video.id,
            video_name=video.display_name if is_new else "",
            upload=video if is_new else None,
            config=checked.config,
            priority=checked.priority,
            idempotency_key=checked.idempotency_key,
            request_sha256=checked.fingerprint(video.sha256),
            runs=checked.runs,
        )
        use = Used(principal=principal, action="job.submit")
        rows, _ = await self.jobs.submit(new, self.limits.max_queued_runs_per_owner, use)
        return rows

    async def _check_bytes(self, principal: Principal, more: int) -> None:
        most = self.limits.max_bytes_per_owner
        if most and await self.videos.bytes_of(principal.user_id) + more > most:
            raise LimitReached(
                f"Your videos would take more than {most} bytes.",
                hint="Delete jobs that you no longer need.",
            )

    @use_case("job.read")
    async def get(self, principal: Principal, job_id: str) -> JobRows:
        """One job. Raises: JobNotFound."""
        with named(job_id):
            return await self.jobs.get(principal, job_id)

    @use_case("job.read")
    async def show(self, principal: Principal, job_id: str) -> tuple[JobRows, Artifacts]:
        """One job with its result files, as of one moment. Raises: JobNotFound."""
        with named(job_id):
            return await self.jobs.get_with_artifacts(principal, job_id)

    @use_case("job.artifacts")
    async def artifacts(self, principal: Principal, job_id: str) -> list[Artifact]:
        """The result files of a job. Raises: JobNotFound."""
        with named(job_id):
            return await self.jobs.artifacts(principal, job_id)

    @use_case("job.list")
    async def list(self, principal: Principal, which: JobFilter, page: int, per_page: int) -> Page:
        """One page of jobs; only an administrator may ask for those of another owner."""
        if which.owner_id not in (None, principal.user_id) and not principal.sees_all:
            raise Forbidden("Only an administrator may list the jobs of others.", field="owner")
        found, total = await self.jobs.list(principal, which, page, per_page)
        return Page(jobs=found, total=total, page=page, per_page=per_page)

    @use_case("job.cancel", recorded=True)
    async def cancel(self, principal: Principal, job_id: str) -> JobRows:
        """Asks for the end of a job. Raises: JobNotFound, JobAlreadyEnded, Forbidden."""
        with named(job_id):
            rows = await self.jobs.cancel(principal, job_id)
        self.scheduler.wake()
        return rows

    @use_case("job.delete", recorded=True)
    async def delete(self, principal: Principal, job_id: str) -> None:
        """Hides a job at once and asks for its end. Raises: JobNotFound, Forbidden."""
        with named(job_id):
            await self.jobs.delete(principal, job_id)
        self.scheduler.wake()


def _video(principal: Principal, file: File) -> Video:
    video_id = uuid4().hex
    return Video(
        id=video_id,
        owner_id=principal.user_id,
        display_name=display_name(file.filename),
        key=keys.video_source(principal.user_id, video_id),
        size_bytes=file.stored.size_bytes,
        sha256=file.stored.sha256,
        created_at=datetime.now(UTC),
    )


@contextmanager
def named(job_id: str) -> Iterator[None]:
    """Names the job in the errors inside, as the public server does."""
    shown = job_id[:80]
    try:
        yield
    except JobNotFound as error:
        raise JobNotFound(f"Job {shown} not found") from error
    except JobAlreadyEnded as error:
        raise JobAlreadyEnded(
            f"Cannot cancel job {shown}. {error.message}",
            hint=f"It stays as it is. To remove it: DELETE /api/v1/jobs/{shown}.",
        ) from error
