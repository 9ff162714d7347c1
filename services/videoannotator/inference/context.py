"""What a pipeline sees of the service around it. Lives in the pipeline's one thread."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from videoannotator.domain.errors import Stopped
from videoannotator.domain.jobs import Progress
from videoannotator.domain.videos import Probe
from videoannotator.inference.messages import PROGRESS_SECONDS
from videoannotator.rpc.work import Assignment, LogLine


class Reports(Protocol):
    """Where a pipeline's words go."""

    def report(self, progress: Progress) -> None:
        """How far the work is."""

    def log(self, line: LogLine) -> None:
        """A line for the owner of the job."""


@dataclass(slots=True)
class Pace:
    """Media seconds per second of wall time, counted from where a pass over the video began."""

    began_at: float  #: seconds of the monotonic clock
    began_position: float = 0.0
    position: float = 0.0

    def rate(self, position: float, now: float) -> float:
        """The rate so far; a step back in media time begins another pass. 0: not known yet."""
        if position < self.position:
            self.began_at, self.began_position = now, position
        self.position = position
        passed = now - self.began_at
        return (position - self.began_position) / passed if passed > 0 else 0.0


class WorkContext:
    """The context of one attempt; see `pipelines.interface.Context`."""

    def __init__(
        self,
        assignment: Assignment,
        probe: Probe,
        *,
        reports: Reports,
        stop_wanted: Callable[[], bool],
    ) -> None:
        """The assignment has local places; `stop_wanted` is asked at every checkpoint."""
        self.run_id = assignment.run_id
        self.attempt = assignment.attempt
        self.video = Path(assignment.path or "")
        self.video_id = assignment.video_id
        self.folder = Path(assignment.directory or "")
        self.probe = probe
        self.stage = ""  #: the last one named
        self.position_seconds: float | None = None  #: the last one told
        self._reports = reports
        self._stop_wanted = stop_wanted
        self._pace = Pace(time.monotonic())
        self._reported_at = float("-inf")

    def begin(self) -> None:
        """The models are loaded: from here on the rate is counted."""
        self._pace = Pace(time.monotonic())

    def checkpoint(self) -> None:
        """Raises: Stopped when the work shall end."""
        if self._stop_wanted():
            raise Stopped

    def progress(self, stage: str, position_seconds: float) -> None:
        """Reports at most once a second, and when the stage changes. Raises: Stopped."""
        self.checkpoint()
        now = time.monotonic()
        rate = self._pace.rate(position_seconds, now)
        fresh = stage != self.stage or now - self._reported_at >= PROGRESS_SECONDS
        self.stage, self.position_seconds = stage, position_seconds
        if fresh:
            self._reported_at = now
            self._report(rate)

    def _report(self, rate: float) -> None:
        progress = Progress(
            stage=self.stage,
            position_seconds=self.position_seconds or 0.0,
            duration_seconds=self.probe.duration_seconds,
            rate=max(rate, 0.0),
        )
        self._reports.report(progress)

    def log(self, message: str, *, warning: bool = False) -> None:
        """Tells the owner of the job."""
        level = "warning" if warning else "info"
        self._reports.log(LogLine(level=level, message=" ".join(message.split())))
