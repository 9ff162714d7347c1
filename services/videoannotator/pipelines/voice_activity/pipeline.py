"""Voice activity: the sound goes through the model block by block; segments come out."""

from contextlib import closing
from math import inf
from typing import Any

from videoannotator.domain.annotations import Segment
from videoannotator.formats.segments import write_segments_csv, write_segments_json
from videoannotator.media.audio import audio_blocks
from videoannotator.pipelines.interface import Context, Outcome
from videoannotator.pipelines.provenance import damage_warnings, decoder, info
from videoannotator.pipelines.voice_activity.listening import Listener
from videoannotator.pipelines.voice_activity.segmentation import SAMPLE_RATE, WINDOW_SAMPLES, Rules
from videoannotator.pipelines.voice_activity.silero import Silero, provenance, read_model
from videoannotator.pipelines.voice_activity.spec import (
    CSV_NAME,
    JSON_NAME,
    SPEC,
    VoiceActivityParameters,
)

BLOCK_SECONDS = 10.0  #: of sound in hand at once, 640 kB; judged in about 20 ms
SAMPLES_PER_MS = SAMPLE_RATE / 1000
NO_SOUND = "The video has no sound."


class VoiceActivity:
    """Finds when somebody speaks."""

    def load(self, context: Context) -> None:
        """Reads and checks the model."""
        context.progress("loading the model", 0.0)
        content = read_model()
        context.checkpoint()
        self._model = Silero(content)
        context.checkpoint()

    def annotate(self, context: Context, parameters: VoiceActivityParameters) -> Outcome:
        """Writes the segments as JSON and CSV."""
        heard, damage = self._listen(context, rules(parameters))
        silent = () if context.probe.audio else (NO_SOUND,)
        warnings = (*silent, *damage_warnings(damage))
        made = _provenance()
        head = info(SPEC, context, parameters, provenance=made, warnings=warnings)
        write_segments_json(context.folder / JSON_NAME, heard, head)
        write_segments_csv(context.folder / CSV_NAME, heard)
        return Outcome(summary=_summary(heard), provenance=made, warnings=warnings)

    def _listen(
        self, context: Context, judged_by: Rules
    ) -> tuple[list[Segment], list[tuple[float, str]]]:
        """The segments, and the places that could not be read."""
        context.progress("listening", 0.0)
        if context.probe.audio is None:
            return [], []
        listener = Listener(self._model, judged_by)
        with closing(audio_blocks(context.video, block_seconds=BLOCK_SECONDS)) as blocks:
            for block in blocks:
                listener.hear(block.start_seconds, block.samples)
                context.progress(
                    "listening", block.start_seconds + len(block.samples) / SAMPLE_RATE
                )
            return listener.finish(), list(blocks.damage)


def rules(parameters: VoiceActivityParameters) -> Rules:
    """Parameters in samples, after the model's own defaults."""
    end = parameters.end_threshold
    padding = parameters.padding_ms * SAMPLES_PER_MS
    longest = parameters.max_speech_seconds
    return Rules(
        threshold=parameters.threshold,
        end_threshold=max(parameters.threshold - 0.15, 0.01) if end is None else end,
        min_speech_samples=parameters.min_speech_ms * SAMPLES_PER_MS,
        min_silence_samples=parameters.min_silence_ms * SAMPLES_PER_MS,
        padding_samples=padding,
        max_speech_samples=(
            inf if longest is None else longest * SAMPLE_RATE - WINDOW_SAMPLES - 2 * padding
        ),
    )


def _provenance() -> dict[str, Any]:
    return {
        **provenance(),
        "decoder": decoder(),
        "sampling": {
            "sample_rate_hz": SAMPLE_RATE,
            "channels": "mono",
            "window_seconds": WINDOW_SAMPLES / SAMPLE_RATE,
        },
    }


def _summary(segments: list[Segment]) -> dict[str, int]:
    spoken = sum(segment.end_seconds - segment.start_seconds for segment in segments)
    return {"segments": len(segments), "speech_seconds": round(spoken)}
