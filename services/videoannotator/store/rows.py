"""What the stores hand out and take in: whole jobs, and changes of them."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from videoannotator.domain.jobs import (
    Artifact,
    Attempt,
    Job,
    JobKind,
    JobState,
    Resources,
    Run,
    RunState,
    Worker,
)
from videoannotator.domain.leadership import Leadership
from videoannotator.domain.videos import Probe, Video


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRows:
    """A job with all that belongs to it, read in one transaction."""

    job: Job
    video: Video
    runs: tuple[Run, ...]  #: by position
    attempts: tuple[Attempt, ...] = ()  #: by run and number
    workers: tuple[Worker, ...] = ()  #: oldest first

    @property
    def video_name(self) -> str:
        """What the job's owner calls the video."""
        return self.job.video_name or self.video.display_name

    @property
    def progress(self) -> float:
        """0 to 1: the mean of what its runs have reached, also when it was cancelled."""
        return sum(reached(run) for run in self.runs) / max(len(self.runs), 1)


def reached(run: Run) -> float:
    """How far a run came, 0 to 1. Only success is the whole: an end may come anywhere."""
    return 1.0 if run.state is RunState.SUCCEEDED else run.progress.fraction


class LogLine(NamedTuple):
    """A line for the owner of a job."""

    run_id: str
    level: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What a scheduler transaction changes in one job: the new records, whole."""

    runs: tuple[Run, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    workers: tuple[Worker, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    probe: Probe | None = None  #: of the job's video
    logs: tuple[tuple[str, str, str], ...] = ()  #: (run id, level, message), see LogLine


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that a scheduler must look at, as of one moment."""

    jobs: tuple[JobRows, ...]  #: with a run not final, a worker not GONE, or a delete request
    leadership: Leadership
    now: datetime  #: the database's clock


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRun:
    """One pipeline that is asked for."""

    pipeline: str
    parameters: dict[str, Any] = field(default_factory=dict)  #: after defaults
    ignored_parameters: dict[str, str] = field(default_factory=dict)
    resources: Resources = field(default_factory=Resources)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job that is asked for, already validated."""

    owner_id: str
    group_id: str | None = None
    video_id: str
    video_name: str = ""  #: what this upload called the video; empty: as the video does
    config: dict[str, Any] = field(default_factory=dict)  #: as it was asked for
    priority: int = 0
    idempotency_key: str | None = None
    request_sha256: str | None = None  #: of the request, to tell a repetition from another one
    upload: Video | None = None  #: new bytes, unless the owner has the same; then `video_id` is its
    runs: tuple[NewRun, ...]
    kind: JobKind = JobKind.ANNOTATION


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFilter:
    """Which jobs to list, and in which order. None: any."""

    status: JobState | None = None
    pipeline: str | None = None
    owner_id: str | None = None
    created_after: datetime | None = None  #: not before it
    created_before: datetime | None = None  #: before it
    search: str | None = None  #: in the name of its video, or the beginning of the job's id
    oldest_first: bool = False
