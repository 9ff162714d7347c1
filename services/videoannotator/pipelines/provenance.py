"""What a result says about its own making, alike in every pipeline."""

from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, NamedTuple

import av

from videoannotator import __version__
from videoannotator.domain.videos import Probe
from videoannotator.pipelines.interface import Context, Parameters, PipelineSpec

MOST_WARNINGS = 50  #: of damage; a file that is one ruin needs no longer list


class DamagedPlace(NamedTuple):
    """A place that could not be read."""

    second: float
    reason: str


def decoder() -> dict[str, Any]:
    """What decodes pictures and sound, with versions."""
    return {"name": "PyAV", "version": version("av"), "ffmpeg": av.ffmpeg_version_info}


def source(probe: Probe) -> dict[str, Any]:
    """What the recording is, as far as it matters for reading a result."""
    return {
        "container": probe.container,
        "duration_seconds": round(probe.duration_seconds, 3),
        "video_codec": probe.video.codec if probe.video else None,
        "audio_codec": probe.audio.codec if probe.audio else None,
    }


def info(
    spec: PipelineSpec,
    context: Context,
    parameters: Parameters,
    *,
    provenance: Mapping[str, Any],
    warnings: Iterable[str],
) -> dict[str, Any]:
    """The head of every result file."""
    return {
        "video_id": context.video_id,
        "pipeline": spec.name,
        "pipeline_version": spec.version,
        "product_version": __version__,
        "source": source(context.probe),
        "parameters": parameters.model_dump(mode="json"),
        "provenance": dict(provenance),
        "warnings": list(warnings),
    }


def damage_warnings(damage: Iterable[tuple[float, str]]) -> tuple[str, ...]:
    """One line for each place that could not be read, in order of time."""
    places = sorted({DamagedPlace(*place) for place in damage})
    told = [f"Damaged at {clock(place.second)}: {place.reason}." for place in places]
    more = len(told) - MOST_WARNINGS
    return (*told[:MOST_WARNINGS], *([f"{more} more damaged places."] if more > 0 else []))


def clock(seconds: float) -> str:
    """A presentation time for people: 31:07.500, with hours where there are some."""
    milliseconds = round(abs(seconds) * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    sign = "-" if seconds < 0 else ""
    short = f"{minutes:02d}:{rest // 1000:02d}.{rest % 1000:03d}"
    return f"{sign}{hours}:{short}" if hours else f"{sign}{short}"
