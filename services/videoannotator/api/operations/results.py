"""Results: what was found, its files, and all of it in one ZIP."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

from videoannotator.api.names import video_name
from videoannotator.api.operations.auditing import Hook, use_case
from videoannotator.api.operations.jobs import named
from videoannotator.blobs import keys
from videoannotator.blobs.interface import BlobStore
from videoannotator.domain.access import Principal
from videoannotator.domain.errors import ArtifactNotFound, InvalidRequest, NothingFinished
from videoannotator.domain.jobs import Artifact
from videoannotator.formats.names import public_name
from videoannotator.formats.zip_stream import ZipMember, ZipStream, unique_names
from videoannotator.store.jobs import Jobs
from videoannotator.store.rows import JobRows


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """A job and its result files."""

    rows: JobRows
    artifacts: tuple[Artifact, ...]

    def of(self, pipeline: str) -> tuple[Artifact, ...]:
        """The files of one pipeline, its results before what only a page shows."""
        own = [each for each in self.artifacts if each.pipeline == pipeline]
        return tuple(sorted(own, key=lambda each: each.role != "result"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """Stored bytes that leave."""

    key: str
    name: str  #: what the user's program calls it
    media_type: str
    size_bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A ZIP that is made while it is read."""

    name: str
    size_bytes: int
    chunks: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultOperations:
    """What a caller may do with results."""

    jobs: Jobs
    blobs: BlobStore
    hook: Hook

    @use_case("results.read")
    async def results(self, principal: Principal, job_id: str) -> Results:
        """A job and its files. Raises: JobNotFound."""
        return await self._results(principal, job_id)

    @use_case("results.download")
    async def download(
        self, principal: Principal, job_id: str, pipeline: str, file: str | None
    ) -> Download:
        """One file of a pipeline: its first result, or the one named.

        Raises: JobNotFound, InvalidRequest, ArtifactNotFound.
        """
        results = await self._results(principal, job_id)
        artifact = _pick(results, pipeline, file)
        return _download(results.rows, artifact)

    @use_case("results.file")
    async def file(self, principal: Principal, job_id: str, artifact_id: str) -> Download:
        """One file by its id. Raises: JobNotFound, ArtifactNotFound."""
        results = await self._results(principal, job_id)
        for artifact in results.artifacts:
            if artifact.id == artifact_id:
                return _download(results.rows, artifact)
        raise ArtifactNotFound(hint=f"List the files with GET /api/v1/jobs/{job_id}/files.")

    @use_case("results.archive")
    async def archive(self, principal: Principal, job_id: str) -> Archive:
        """The video and every result file. Raises: JobNotFound, NothingFinished."""
        results = await self._results(principal, job_id)
        if not results.artifacts:
            raise NothingFinished
        stream = ZipStream([self._member(*each) for each in members(results)])
        return Archive(
            name=f"job_{job_id}_artifacts.zip", size_bytes=stream.size, chunks=aiter(stream)
        )

    async def _results(self, principal: Principal, job_id: str) -> Results:
        with named(job_id):
            rows = await self.jobs.get(principal, job_id)
            artifacts = await self.jobs.artifacts(principal, job_id)
        return Results(rows=rows, artifacts=tuple(artifacts))

    def _member(self, name: str, key: str, size_bytes: int) -> ZipMember:
        return ZipMember(name=name, size=size_bytes, open=lambda: self.blobs.read(key))


def members(results: Results) -> list[tuple[str, str, int]]:
    """What goes into the ZIP, all at its root: (name, key, size in bytes), the video first."""
    video = results.rows.video
    files = [_download(results.rows, artifact) for artifact in results.artifacts]
    names = unique_names([video_name(results.rows.video_name), *(file.name for file in files)])
    stored = [(video.key, video.size_bytes), *((file.key, file.size_bytes) for file in files)]
    return [(name, key, size) for name, (key, size) in zip(names, stored, strict=True)]


def _pick(results: Results, pipeline: str, file: str | None) -> Artifact:
    files = results.of(pipeline)
    if not files:
        raise InvalidRequest(
            f"No output file of pipeline '{pipeline[:80]}' for this job.",
            hint="GET the job's results: a pipeline has files when it has completed.",
            field="pipeline",
        )
    if file is None:
        return files[0]
    display = results.rows.video_name
    for each in files:
        if file in (each.name, public_name(each.public_name, display)):
            return each
    known = ", ".join(each.name for each in files)
    raise ArtifactNotFound(hint=f"The files of this pipeline: {known}.", field="file")


def _download(rows: JobRows, artifact: Artifact) -> Download:
    folder = keys.attempt_folder(
        rows.job.owner_id, rows.job.id, artifact.pipeline, artifact.attempt
    )
    return Download(
        key=f"{folder}/{artifact.name}",
        name=public_name(artifact.public_name, rows.video_name),
        media_type=artifact.media_type,
        size_bytes=artifact.size_bytes,
        sha256=artifact.sha256,
    )
