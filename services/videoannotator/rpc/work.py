"""What scheduler and worker say to each other, as records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from videoannotator.domain.failures import Failure
from videoannotator.domain.jobs import Progress
from videoannotator.domain.videos import Probe


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """One try of one run, as a worker gets it.

    Of `path` and `url` one is set, and one of `directory` and `signed`; `manifest_url` goes with
    `signed`. Signed addresses are secrets: they are never shown.
    """

    run_id: str
    attempt: int
    pipeline: str
    parameters: Mapping[str, Any] = field(default_factory=dict)  #: after defaults
    ignored_parameters: Mapping[str, str] = field(default_factory=dict)
    retries: int = 0  #: how often the run was tried before
    video_id: str
    path: str | None = None  #: of the video, for the worker to read
    url: str | None = field(default=None, repr=False)  #: signed address of the video
    sha256: str
    size_bytes: int
    directory: str | None = None  #: a folder that is there and empty, for the results
    #: declared file name, or that of the manifest -> signed address to write it
    signed: Mapping[str, str] | None = field(default=None, repr=False)
    manifest_url: str | None = field(default=None, repr=False)  #: signed address to read it


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What a worker is."""

    worker_id: str
    pipeline: str
    pipeline_version: str
    product_version: str
    identity: str  #: names this process and no other
    attempt: int = 0  #: in hand or ended; 0: none yet


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """The request was taken; always the first word."""

    probe: Probe | None = None  #: None when the video could not be opened
    device: str = ""  #: as "cpu" or "cuda:0"


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
    """A line of the worker's log, for the owner of the job."""

    level: str  #: debug | info | warning | error
    message: str
    told_before: bool = False  #: an earlier stream carried it too


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The end: the manifest is written."""

    manifest_sha256: str
    files: tuple[str, ...] = ()
    summary: Mapping[str, int] = field(default_factory=dict)


WorkEvent = Accepted | Progress | LogLine | Completed | Failure
