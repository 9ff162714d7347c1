"""What a pipeline sees of the service around it."""

from pathlib import Path

import pytest

from tests.fakes.worker_process import assignment, silent_video
from videoannotator.domain.errors import Stopped
from videoannotator.domain.jobs import Progress
from videoannotator.domain.videos import Probe
from videoannotator.inference.context import Pace, WorkContext
from videoannotator.rpc.work import LogLine


class Told:
    """Remembers what was reported."""

    def __init__(self) -> None:
        self.reports: list[Progress] = []
        self.lines: list[LogLine] = []

    def report(self, progress: Progress) -> None:
        """How far the work is."""
        self.reports.append(progress)

    def log(self, line: LogLine) -> None:
        """A line for the owner."""
        self.lines.append(line)


def context(folder: Path, told: Told, *, stop: bool = False) -> WorkContext:
    """A context over a video of ten seconds."""
    work = assignment(folder / "out", silent_video(folder / "v"))
    probe = Probe(container="wav", duration_seconds=10.0)
    return WorkContext(work, probe, reports=told, stop_wanted=lambda: stop)


def test_progress_of_every_frame_is_told_once_a_second_and_at_a_new_stage(tmp_path: Path) -> None:
    told = Told()
    work = context(tmp_path, told)

    for number in range(1000):
        work.progress("reading", number / 1000)
    work.progress("writing", 10.0)

    assert [each.stage for each in told.reports] == ["reading", "writing"]
    assert told.reports[0].duration_seconds == 10.0
    assert (work.stage, work.position_seconds) == ("writing", 10.0)


def test_progress_and_checkpoint_stop_the_work(tmp_path: Path) -> None:
    work = context(tmp_path, Told(), stop=True)

    with pytest.raises(Stopped):
        work.checkpoint()
    with pytest.raises(Stopped):
        work.progress("reading", 1.0)


def test_a_log_line_is_one_line(tmp_path: Path) -> None:
    told = Told()
    work = context(tmp_path, told)

    work.log("two\nlines", warning=True)

    assert told.lines == [LogLine(level="warning", message="two lines")]


def test_the_rate_is_media_time_per_wall_time() -> None:
    pace = Pace(100.0)

    assert pace.rate(0.0, 100.0) == 0.0
    assert pace.rate(30.0, 110.0) == 3.0


def test_a_second_pass_over_the_video_is_counted_from_its_beginning() -> None:
    pace = Pace(100.0)
    pace.rate(60.0, 110.0)

    assert pace.rate(0.0, 200.0) == 0.0
    assert pace.rate(10.0, 205.0) == 2.0
