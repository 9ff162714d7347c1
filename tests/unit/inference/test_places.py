"""Where one attempt reads and writes: a result is complete, from the right video, or not there."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.signed_server import SignedServer, signed_server
from tests.fakes.worker_process import silent_video
from videoannotator.domain.errors import (
    ManifestInvalid,
    Stopped,
    StorageError,
    StorageFull,
)
from videoannotator.domain.jobs import Progress
from videoannotator.domain.pipelines import Output
from videoannotator.inference import places
from videoannotator.inference.work import Work
from videoannotator.pipelines.interface import Context, Outcome, Parameters, PipelineSpec
from videoannotator.rpc.work import Accepted, Assignment, Completed, LogLine

NAMES = ("a.txt", "b.txt", "manifest.json")
SPEC = PipelineSpec(
    name="writer",
    display_name="Two files",
    description="Writes two files, one of which need not be there.",
    version="1",
    parameters=Parameters,
    outputs=(
        Output(name="a.txt", public_name="{stem}_a.txt", media_type="text/plain", format="TXT"),
        Output(
            name="b.txt",
            public_name="{stem}_b.txt",
            media_type="text/plain",
            format="TXT",
            optional=True,
        ),
        Output(
            name="c.txt",
            public_name="{stem}_c.txt",
            media_type="text/plain",
            format="TXT",
            optional=True,
        ),
    ),
    implementation="replaced:Writer",
    requires=(),
    extra="inference",
)


class Writer:
    """Writes what it read."""

    lives = 0

    def load(self, context: Context) -> None:
        """Nothing to load."""

    def annotate(self, context: Context, parameters: Any) -> Outcome:
        """Writes two of the three files."""
        Writer.lives += 1
        size = context.video.stat().st_size
        (context.folder / "a.txt").write_text(str(size))
        (context.folder / "b.txt").write_text("b")
        return Outcome(summary={"bytes": size})


class Heard:
    """Remembers what the work said."""

    def __init__(self) -> None:
        self.accepted: list[Accepted] = []
        self.stages: list[str] = []

    def accept(self, accepted: Accepted) -> None:
        """The request was taken."""
        self.accepted.append(accepted)

    def report(self, progress: Progress) -> None:
        """How far the work is."""
        self.stages.append(progress.stage)

    def log(self, line: LogLine) -> None:
        """A line for the owner of the job."""


class Stage:
    """A server, an assignment on it, and a way to do the work."""

    def __init__(self, server: SignedServer, folder: Path) -> None:
        self.server = server
        self.scratch = folder / "scratch"
        self.content = silent_video(folder / "v").read_bytes()
        server.contents["source"] = self.content
        self.heard = Heard()
        self.stop = False
        self.work: Work | None = None

    def assignment(self) -> Assignment:
        """Attempt 1, with the newest addresses."""
        return Assignment(
            run_id="run-1",
            attempt=1,
            pipeline="writer",
            video_id="video-1",
            url=self.server.address("source"),
            sha256=hashlib.sha256(self.content).hexdigest(),
            size_bytes=len(self.content),
            signed={name: self.server.address(name) for name in NAMES},
            manifest_url=self.server.address("manifest.json"),
        )

    async def do(self, assignment: Assignment | None = None) -> Completed:
        """Does the work, in a thread as the service does."""
        given = assignment or self.assignment()
        self.work = Work(given, SPEC, self.heard, lambda: self.stop, self.scratch)
        return await asyncio.to_thread(self.work.do)

    def puts(self) -> list[str]:
        """What was written, in order."""
        return [asked.split()[1] for asked in self.server.requests if asked.startswith("PUT")]


@pytest.fixture
async def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stage]:
    monkeypatch.setattr("videoannotator.inference.work.implementation", lambda spec: Writer)
    Writer.lives = 0
    async with signed_server() as server:
        yield Stage(server, tmp_path)


async def test_the_video_is_fetched_and_the_manifest_brought_last(stage: Stage) -> None:
    completed = await stage.do()

    manifest = json.loads(stage.server.contents["manifest.json"])
    assert stage.puts() == ["a.txt", "b.txt", "manifest.json"]
    assert completed.files == ("a.txt", "b.txt")
    assert stage.server.contents["a.txt"] == str(len(stage.content)).encode()
    for file in manifest["files"]:
        content = stage.server.contents[file["name"]]
        assert file["sha256"] == hashlib.sha256(content).hexdigest()
    manifest_sha256 = hashlib.sha256(stage.server.contents["manifest.json"]).hexdigest()
    assert completed.manifest_sha256 == manifest_sha256


async def test_nothing_of_it_stays_on_the_workers_disk(stage: Stage) -> None:
    await stage.do()

    assert list(stage.scratch.iterdir()) == []


async def test_how_far_the_transfers_are_is_told_and_then_what_the_video_is(stage: Stage) -> None:
    await stage.do()

    first, last = stage.heard.accepted[0], stage.heard.accepted[-1]
    assert first.probe is None, "the request is taken before the video is there"
    assert last.probe is not None
    assert stage.heard.stages[0].startswith("downloading ")
    assert stage.heard.stages[-1] == "uploading manifest.json 100 %"


async def test_a_file_that_cannot_be_brought_leaves_no_manifest(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = stage.assignment()
    signed = {name: url for name, url in (work.signed or {}).items() if name != "b.txt"}

    with pytest.raises(StorageError, match=r"no address for the result file b\.txt"):
        await stage.do(replace(work, signed=signed))

    assert "manifest.json" not in stage.server.contents
    assert list(stage.scratch.iterdir()) == []


async def test_a_video_that_is_another_one_is_not_annotated(stage: Stage) -> None:
    work = stage.assignment()
    stage.server.contents["source"] = bytes(len(stage.content))

    with pytest.raises(StorageError, match="not the one that was stored"):
        await stage.do(work)

    assert Writer.lives == 0
    assert stage.work is not None
    assert stage.work.failure(StorageError()).stage.startswith("downloading ")


async def test_a_result_of_an_earlier_life_is_found_and_not_made_again(stage: Stage) -> None:
    made = await stage.do()
    stage.server.requests.clear()

    found = await stage.do()

    assert found == made
    assert Writer.lives == 1
    assert stage.server.requests == ["GET manifest.json"]


async def test_a_manifest_of_something_else_is_refused(stage: Stage) -> None:
    await stage.do()

    with pytest.raises(ManifestInvalid):
        await stage.do(replace(stage.assignment(), attempt=2))


async def test_half_a_manifest_is_no_result(stage: Stage) -> None:
    await stage.do()
    stage.server.contents["manifest.json"] = stage.server.contents["manifest.json"][:50]

    with pytest.raises(ManifestInvalid):
        await stage.do()


async def test_the_newest_addresses_count_in_the_midst_of_the_work(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(Writer):
        """While it works, its addresses end."""

        def annotate(self, context: Context, parameters: Any) -> Outcome:
            """The leader calls again."""
            assert stage.work is not None
            stage.server.signature += 1
            stage.work.renew(stage.assignment())
            return super().annotate(context, parameters)

    monkeypatch.setattr("videoannotator.inference.work.implementation", lambda spec: Slow)

    await stage.do()

    assert stage.puts() == ["a.txt", "b.txt", "manifest.json"], "no address was refused"


async def test_a_renewal_that_names_fewer_files_keeps_the_older_addresses(stage: Stage) -> None:
    work = Work(stage.assignment(), SPEC, stage.heard, lambda: False)

    work.renew(replace(stage.assignment(), signed={"a.txt": "http://new"}, url="http://video"))

    assert work.assignment.url == "http://video"
    assert set(work.assignment.signed or {}) == set(NAMES)
    assert (work.assignment.signed or {})["a.txt"] == "http://new"


@pytest.mark.parametrize("at", ["GET source", "PUT a.txt"])
async def test_a_stop_during_a_transfer_leaves_no_result(stage: Stage, at: str) -> None:
    tell = stage.heard.report

    def stop_at(progress: Progress) -> None:
        tell(progress)
        words = {"GET source": "downloading", "PUT a.txt": "uploading a.txt"}
        stage.stop = stage.stop or progress.stage.startswith(words[at])

    stage.heard.report = stop_at  # type: ignore[method-assign]

    with pytest.raises(Stopped):
        await stage.do()

    assert "manifest.json" not in stage.server.contents
    assert list(stage.scratch.iterdir()) == []


async def test_no_room_for_the_video_is_told_before_it_is_fetched(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def usage(path: Path) -> Any:
        return type("Usage", (), {"free": len(stage.content) - 1})

    monkeypatch.setattr(places.shutil, "disk_usage", usage)

    with pytest.raises(StorageFull, match="worker has no room"):
        await stage.do()

    assert stage.server.requests == ["GET manifest.json"]


def test_an_assignment_never_shows_its_addresses() -> None:
    work = Assignment(
        run_id="r",
        attempt=1,
        pipeline="p",
        video_id="v",
        url="http://s3/?X-Amz-Signature=secret",
        sha256="0",
        size_bytes=1,
        signed={"a": "http://s3/?X-Amz-Signature=secret"},
        manifest_url="http://s3/?X-Amz-Signature=secret",
    )

    assert "secret" not in repr(work)
    shown: Callable[[object], str] = str
    assert "secret" not in shown(work)
