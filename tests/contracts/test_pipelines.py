"""What every pipeline of the catalogue must do, whatever it finds."""

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.context import Ran, WorkContext, context_for, run
from tests.fakes.videos import Clip, Pictures, Sound, truncated
from videoannotator.domain.errors import MediaError, Stopped
from videoannotator.media.sample import make_sample
from videoannotator.pipelines.catalogue import Catalogue, implementation
from videoannotator.pipelines.interface import PipelineSpec

CATALOGUE = Catalogue.load()
# Only what ships here: a plug-in that happens to be installed has its own tests.
OURS = [
    spec
    for spec in CATALOGUE.specs.values()
    if spec.implementation.startswith("videoannotator.pipelines.")
]
EVERY_PIPELINE = pytest.mark.parametrize("spec", OURS, ids=lambda spec: spec.name)

SHORT = Pictures(count=20, size=(160, 120))
TONE = Sound(seconds=0.7, bursts=())


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("sample") / "sample.mp4"
    make_sample(path)
    return path


def one_frame(folder: Path) -> Path:
    return Clip(pictures=Pictures(count=1)).write(folder / "one.mp4")


def without_sound(folder: Path) -> Path:
    return Clip(pictures=SHORT).write(folder / "mute.mp4")


def without_pictures(folder: Path) -> Path:
    return Clip(pictures=None, sound=TONE).write(folder / "sound.mp4")


def silent(folder: Path) -> Path:
    return Clip(pictures=SHORT, sound=TONE).write(folder / "silent.mp4")


def late(folder: Path) -> Path:
    sound = Sound(seconds=0.7, bursts=(), start_seconds=1.5)
    return Clip(pictures=SHORT, sound=sound).write(folder / "late.mkv")


def cut_off(folder: Path) -> Path:
    return truncated(Clip(pictures=SHORT, sound=TONE).write(folder / "cut.mkv"), 0.6)


POOR = [one_frame, without_sound, without_pictures, silent, late, cut_off]


@EVERY_PIPELINE
@pytest.mark.parametrize("video", POOR, ids=lambda video: video.__name__)
def test_a_poor_video_gives_a_valid_result_or_a_media_error(
    spec: PipelineSpec, video: Callable[[Path], Path], tmp_path: Path
) -> None:
    context = context_for(video(tmp_path), tmp_path / "out")

    # Sound may always be missing; who looks at pictures cannot do without.
    if "video" in spec.modalities and context.probe.video is None:
        with pytest.raises(MediaError, match="no picture"):
            run(spec, context)
    else:
        check_outputs(spec, run(spec, context))


@EVERY_PIPELINE
def test_what_is_written_is_what_is_declared(
    spec: PipelineSpec, sample: Path, tmp_path: Path
) -> None:
    check_outputs(spec, run(spec, context_for(sample, tmp_path / "out")))


def check_outputs(spec: PipelineSpec, ran: Ran) -> None:
    declared = {output.name for output in spec.outputs}
    required = {output.name for output in spec.outputs if not output.optional}
    assert required <= set(ran.files) <= declared
    assert all(isinstance(count, int) for count in ran.outcome.summary.values())


@EVERY_PIPELINE
def test_a_broken_file_is_a_media_error(spec: PipelineSpec, sample: Path, tmp_path: Path) -> None:
    # It was whole when it was probed, and is not any more.
    context = context_for(sample, tmp_path / "out")
    context.video = tmp_path / "text.mp4"
    context.video.write_text("This is no video.")

    with pytest.raises(MediaError):
        run(spec, context)


@EVERY_PIPELINE
def test_it_stops_at_whatever_checkpoint_it_is_told(
    spec: PipelineSpec, sample: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So little is read ahead that a reader left open would still be at work.
    monkeypatch.setattr("videoannotator.media.frames.AHEAD_BYTES", 1)
    monkeypatch.setattr("videoannotator.media.audio.AHEAD_BYTES", 1)
    calls = run(spec, context_for(sample, tmp_path / "whole")).context.checkpoints
    threads = threading.active_count()

    for number in {1, 2, 3, calls // 3, calls // 2, calls - 1, calls} - {0}:
        context = context_for(sample, tmp_path / str(number), stop_at=number)
        with pytest.raises(Stopped) as kept:
            run(spec, context)
        assert context.checkpoints == number
        assert kept.value.__traceback__ is not None  # keeps alive what the call left open
        # The reading thread ended too: nothing goes on behind a run that has stopped.
        assert threading.active_count() == threads


@EVERY_PIPELINE
def test_it_stops_in_every_stage(spec: PipelineSpec, sample: Path, tmp_path: Path) -> None:
    stages = run(spec, context_for(sample, tmp_path / "whole")).context.stages

    for number, wanted in enumerate(stages):
        context = context_for(sample, tmp_path / str(number), stop_when=wanted.__eq__)
        with pytest.raises(Stopped):
            run(spec, context)
        assert context.told[-1][0] == wanted


@EVERY_PIPELINE
def test_progress_is_media_time_from_the_first_moment(
    spec: PipelineSpec, sample: Path, tmp_path: Path
) -> None:
    ran = run(spec, context_for(sample, tmp_path / "out"))

    told = ran.context.told
    duration = ran.context.probe.duration_seconds
    assert told[0][1] == 0.0
    assert all(stage for stage, _ in told)
    assert all(0.0 <= position <= duration + 0.1 for _, position in told)
    for stage in ran.context.stages:
        positions = [position for name, position in told if name == stage]
        assert positions == sorted(positions)
    assert max(position for _, position in told) > 0.8 * duration


@EVERY_PIPELINE
def test_loading_checks_for_a_stop_and_tells_its_stage(
    spec: PipelineSpec, sample: Path, tmp_path: Path
) -> None:
    context = context_for(sample, tmp_path / "out")

    implementation(spec)().load(context)

    assert context.checkpoints > 0
    assert context.told[0][1] == 0.0


@EVERY_PIPELINE
def test_a_second_video_in_one_process_gives_what_it_gives_alone(
    spec: PipelineSpec, sample: Path, tmp_path: Path
) -> None:
    alone = digests(run(spec, context_for(sample, tmp_path / "alone")))
    pipeline = implementation(spec)()
    other = Clip(pictures=Pictures(count=30, cuts=(15,)), sound=Sound(seconds=1.0))
    annotated(pipeline, spec, context_for(other.write(tmp_path / "other.mp4"), tmp_path / "other"))

    again = context_for(sample, tmp_path / "again")

    assert digests(annotated(pipeline, spec, again)) == alone


def annotated(pipeline: Any, spec: PipelineSpec, context: WorkContext) -> Ran:
    pipeline.load(context)
    return Ran(pipeline.annotate(context, spec.parameters()), context)


def digests(ran: Ran) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in ran.files.items()}


@EVERY_PIPELINE
def test_it_says_with_what_it_was_made(spec: PipelineSpec, sample: Path, tmp_path: Path) -> None:
    provenance = run(spec, context_for(sample, tmp_path / "out")).outcome.provenance

    assert {"engine", "libraries", "decoder", "device", "sampling"} <= set(provenance)
    assert all(version for version in provenance["libraries"].values())


@EVERY_PIPELINE
def test_its_description_is_complete(spec: PipelineSpec) -> None:
    assert spec.description
    assert spec.licence
    assert spec.extra
    assert spec.requires
    assert spec.longest_per_media_second > 0
    names = [output.name for output in spec.outputs]
    assert len(set(names)) == len(names)
    for output in spec.outputs:
        assert output.public_name.startswith("{stem}_")
        assert "/" in output.media_type
        if output.name.endswith(".json"):
            # The public viewer would take them for captions and for turns of speakers.
            assert "speech_recognition" not in output.public_name
            assert "speaker_diarization" not in output.public_name


@EVERY_PIPELINE
def test_every_parameter_has_a_description_and_numbers_have_bounds(spec: PipelineSpec) -> None:
    for name, field in spec.parameters.model_fields.items():
        assert field.description, name
        if field.annotation in (int, float, int | None, float | None):
            bounds = {type(each).__name__ for each in field.metadata}
            assert {"Ge", "Le"} <= bounds or {"Gt", "Lt"} <= bounds, name
