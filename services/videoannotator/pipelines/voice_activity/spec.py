"""What voice activity is, without its engine."""

from pydantic import AliasChoices, Field

from videoannotator.domain.jobs import Resources
from videoannotator.domain.pipelines import Output
from videoannotator.pipelines.interface import Parameters, PipelineSpec

JSON_NAME = "voice_activity.json"
CSV_NAME = "voice_activity.csv"


class VoiceActivityParameters(Parameters):
    """When does a sound count as speech."""

    threshold: float = Field(
        0.5,
        ge=0.01,
        le=0.99,
        description="Probability of speech at which a segment begins.",
    )
    end_threshold: float | None = Field(
        None,
        ge=0.01,
        le=0.99,
        validation_alias=AliasChoices("end_threshold", "neg_threshold"),
        description="Probability below which a segment may end; none: threshold - 0.15.",
    )
    min_speech_ms: int = Field(
        250,
        ge=0,
        le=60_000,
        validation_alias=AliasChoices("min_speech_ms", "min_speech_duration_ms"),
        description="Shorter segments are left out.",
        json_schema_extra={"unit": "ms"},
    )
    min_silence_ms: int = Field(
        200,
        ge=0,
        le=60_000,
        validation_alias=AliasChoices("min_silence_ms", "min_silence_duration_ms"),
        description="A shorter pause does not end a segment.",
        json_schema_extra={"unit": "ms"},
    )
    padding_ms: int = Field(
        30,
        ge=0,
        le=5_000,
        validation_alias=AliasChoices("padding_ms", "speech_pad_ms"),
        description="Added before and after each segment, never over the next one.",
        json_schema_extra={"unit": "ms"},
    )
    max_speech_seconds: float | None = Field(
        None,
        ge=1.0,
        le=86_400.0,
        validation_alias=AliasChoices("max_speech_seconds", "max_speech_duration_s"),
        description="Longer segments are cut at their last pause; none: never.",
        json_schema_extra={"unit": "s"},
    )


SPEC = PipelineSpec(
    name="voice_activity",
    display_name="Voice activity",
    description="Segments in which somebody speaks, found in the sound by Silero VAD.",
    version="1.0.0",
    parameters=VoiceActivityParameters,
    outputs=(
        Output(
            name=JSON_NAME,
            public_name="{stem}_voice_activity.json",
            media_type="application/json",
            format="JSON",
            types=("voice_activity",),
        ),
        Output(
            name=CSV_NAME,
            public_name="{stem}_voice_activity.csv",
            media_type="text/csv",
            format="CSV",
            types=("voice_activity",),
        ),
    ),
    implementation="videoannotator.pipelines.voice_activity.pipeline:VoiceActivity",
    requires=("av", "numpy", "onnxruntime", "faster_whisper"),
    extra="speech",
    resources=Resources(cpus=1.0, memory_bytes=1024**3),
    family="audio",
    variant="silero",
    tasks=("voice-activity-detection",),
    modalities=("audio",),
    capabilities=("speech-segments",),
    backends=("onnxruntime",),
    longest_per_media_second=1.0,
)
