"""One attempt, without a process around it."""

import threading
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.worker_process import assignment, silent_video
from videoannotator.domain.errors import Stopped, VideoAnnotatorError
from videoannotator.domain.jobs import Progress
from videoannotator.domain.pipelines import Output
from videoannotator.inference.contact import Contact
from videoannotator.inference.service import Service
from videoannotator.inference.work import Work
from videoannotator.pipelines.interface import Context, Outcome, Parameters, PipelineSpec
from videoannotator.rpc.work import Accepted, LogLine

SPEC = PipelineSpec(
    name="journal",
    display_name="Two files",
    description="Writes what it is told to.",
    version="1",
    parameters=Parameters,
    outputs=(
        Output(name="a.txt", public_name="{stem}_a.txt", media_type="text/plain", format="TXT"),
    ),
    implementation="replaced:Writer",
    requires=(),
    extra="inference",
)
STOP = threading.Event()


class Writer:
    """Writes its file; the stop comes just before it is done."""

    def load(self, context: Context) -> None:
        """Nothing to load."""

    def annotate(self, context: Context, parameters: Any) -> Outcome:
        """Writes."""
        (context.folder / "a.txt").write_text("a")
        STOP.set()
        return Outcome(summary={})


class Nobody:
    """Hears everything and keeps nothing."""

    def accept(self, accepted: Accepted) -> None:
        """The request was taken."""

    def report(self, progress: Progress) -> None:
        """How far the work is."""

    def log(self, line: LogLine) -> None:
        """A line for the owner of the job."""


def work(folder: Path, *, heeds_stop: bool) -> Work:
    """Work that is asked to stop when its files are written."""
    STOP.clear()
    task = assignment(folder / "out", silent_video(folder / "v"))
    return Work(task, SPEC, Nobody(), lambda: heeds_stop and STOP.is_set())


def test_work_that_was_stopped_at_the_last_moment_leaves_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("videoannotator.inference.work.implementation", lambda spec: Writer)

    with pytest.raises(Stopped):
        work(tmp_path, heeds_stop=True).do()

    assert [each.name for each in (tmp_path / "out").iterdir()] == ["a.txt"]


def test_the_manifest_is_written_after_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("videoannotator.inference.work.implementation", lambda spec: Writer)

    completed = work(tmp_path, heeds_stop=False).do()

    assert completed.files == ("a.txt",)
    assert {each.name for each in (tmp_path / "out").iterdir()} == {"a.txt", "manifest.json"}


def test_a_pipeline_that_leaves_out_a_file_gets_no_manifest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Forgetful(Writer):
        """Writes nothing."""

        def annotate(self, context: Context, parameters: Any) -> Outcome:
            """Forgets."""
            return Outcome(summary={})

    monkeypatch.setattr("videoannotator.inference.work.implementation", lambda spec: Forgetful)

    with pytest.raises(VideoAnnotatorError, match=r"a\.txt"):
        work(tmp_path, heeds_stop=False).do()

    assert not list((tmp_path / "out").iterdir())


async def test_an_orphan_that_wakes_up_begins_nothing(tmp_path: Path) -> None:
    # As after a long sleep of the machine: time has passed, and no timer has run yet.
    contact = Contact(-1.0)
    service = Service(SPEC, contact, worker_id="w", identity="i", on_failure=lambda failure: None)

    with pytest.raises(Stopped):
        service.annotate(assignment(tmp_path / "out", silent_video(tmp_path / "v")))

    assert service.description().attempt == 0
