"""From videos to files, at a server that answers as it was told."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.fakes.server import API, Answer, FakeServer, envelope, file_body, job_body, run_body
from videoannotator.cli import annotating
from videoannotator.cli.annotating import Order, annotate, failed, told, write_outcomes
from videoannotator.domain.errors import InvalidConfig, PipelineUnavailable

JOBS = f"{API}/jobs"
DONE = run_body("succeeded", artifacts=[file_body(hashlib.sha256(b"{}").hexdigest())])


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotating, "LOOK_SECONDS", 0.0)


@pytest.fixture
def order(tmp_path: Path) -> Order:
    (tmp_path / "clip.mp4").write_bytes(b"video")
    return Order(
        videos=[tmp_path / "clip.mp4"],
        pipelines=["scene_detection"],
        config={"scene_detection": {"x": 1}, "other": {}},
        output=tmp_path / "results",
    )


def prepare(server: FakeServer, *answers: dict[str, object]) -> None:
    server.gives("POST", JOBS, job_body("pending"), 201)
    server.says("GET", f"{JOBS}/j1", *(Answer(body=each) for each in answers))
    server.gives("GET", f"{JOBS}/j1/results/files/scene_detection", b"{}")


def test_files_end_up_in_a_folder_of_the_videos_name(
    server: FakeServer, order: Order, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(server, job_body("running", runs=[run_body("running")]), job_body(runs=[DONE]))

    outcomes = annotate(server.address, "va_key", order)
    write_outcomes(outcomes)

    path = order.output / "clip" / "clip_scene_detection.json"
    assert path.read_bytes() == b"{}"
    assert not failed(outcomes)
    assert told(outcomes)[0]["files"] == [str(path)]
    said = capsys.readouterr()
    assert said.err.splitlines()[0] == "clip.mp4: scene_detection: running, detect, 40%, 12.5x"
    row = said.out.splitlines()[1].split()
    assert row == ["clip.mp4", "scene_detection", "succeeded", "12", "scenes", "1", "2.0", "10.0"]


def test_only_parameters_of_the_chosen_pipelines_are_sent(server: FakeServer, order: Order) -> None:
    prepare(server, job_body(runs=[DONE]))

    annotate(server.address, "va_key", order)

    sent = next(asked for asked in server.asked if asked.method == "POST").body
    assert b'{"scene_detection": {"x": 1}}' in sent


def test_what_failed_is_told_with_its_hint(
    server: FakeServer, order: Order, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(server, job_body("failed"))

    outcomes = annotate(server.address, "va_key", order)
    write_outcomes(outcomes)

    assert failed(outcomes)
    told_lines = capsys.readouterr().err.splitlines()[-2:]
    assert told_lines == [
        "clip.mp4: scene_detection: MEDIA_ERROR: No picture.",
        "  Convert it.",
    ]


def test_a_video_that_cannot_be_read_does_not_hold_up_the_others(
    server: FakeServer, order: Order, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare(server, job_body(runs=[DONE]))
    gone = order.output.parent / "gone.mp4"

    outcomes = annotate(server.address, "va_key", replace(order, videos=[gone, *order.videos]))
    write_outcomes(outcomes)

    assert [len(each.files) for each in outcomes] == [0, 1]
    assert failed(outcomes)
    said = capsys.readouterr()
    assert "gone.mp4" in said.err
    assert "not sent" in said.out
    assert told(outcomes)[0]["job"] is None


def test_parameters_that_are_refused_end_the_call(server: FakeServer, order: Order) -> None:
    server.gives("POST", JOBS, envelope("INVALID_CONFIG", "Bad."), 400)

    with pytest.raises(InvalidConfig):
        annotate(server.address, "va_key", order)


def test_a_folder_of_another_videos_results_is_left_alone(
    server: FakeServer, order: Order, capsys: pytest.CaptureFixture[str]
) -> None:
    old = order.output / "clip"
    old.mkdir(parents=True)
    (old / ".video-sha256").write_text("0" * 64)
    (old / "clip_scene_detection.json").write_text("old")
    prepare(server, job_body(runs=[DONE]))

    (outcome,) = annotate(server.address, "va_key", order)

    assert (old / "clip_scene_detection.json").read_text() == "old"
    assert outcome.files == (order.output / "clip-2" / "clip_scene_detection.json",)
    assert "clip holds another video" in capsys.readouterr().err


def test_a_job_without_files_leaves_no_folder(server: FakeServer, order: Order) -> None:
    prepare(server, job_body("failed"))

    annotate(server.address, "va_key", order)

    assert list(order.output.iterdir()) == []


def test_without_a_choice_all_that_can_run_is_asked_for(server: FakeServer, order: Order) -> None:
    prepare(server, job_body(runs=[DONE]))
    known = [
        {"name": "scene_detection", "availability": {"state": "available"}},
        {"name": "broken", "availability": {"state": "missing_part"}},
    ]
    server.gives("GET", f"{API}/pipelines", {"pipelines": known})
    every = Order(videos=order.videos, pipelines=[], config={}, output=order.output)

    annotate(server.address, "va_key", every)

    sent = next(asked for asked in server.asked if asked.method == "POST").body
    assert b"scene_detection" in sent
    assert b"broken" not in sent


def test_when_nothing_can_run_the_way_to_something_is_told(
    server: FakeServer, order: Order
) -> None:
    missing = {"name": "a", "availability": {"state": "missing_part", "command": "pip install a"}}
    server.gives("GET", f"{API}/pipelines", {"pipelines": [missing]})
    every = Order(videos=order.videos, pipelines=[], config={}, output=order.output)

    with pytest.raises(PipelineUnavailable) as refused:
        annotate(server.address, "va_key", every)

    assert refused.value.hint == "pip install a"
