"""With what a result was made: the part that every pipeline shares."""

import platform
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from typing import Any

from videoannotator import __version__
from videoannotator.pipelines.interface import PipelineSpec
from videoannotator.rpc.work import Assignment

# Named when they are loaded, whoever loaded them: each can change what a pipeline finds.
ENGINES = ("av", "numpy", "cv2", "onnxruntime", "scenedetect", "faster_whisper", "torch")


def provenance(assignment: Assignment, spec: PipelineSpec, device: str) -> dict[str, Any]:
    """The common part, before what the pipeline adds. Call it when the engine is loaded."""
    return {
        "product_version": __version__,
        "pipeline_version": spec.version,
        "python_version": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "libraries": library_versions({*ENGINES, *spec.requires} & sys.modules.keys()),
        "ffmpeg": ffmpeg_versions(),
        "input_sha256": assignment.sha256,
        "retries": assignment.retries,
    }


def library_versions(modules: Iterable[str]) -> dict[str, str]:
    """The versions of the distributions that brought these modules, by distribution."""
    owners = _owners()
    names = {name for module in modules for name in owners.get(module, ())}
    return {name: metadata.version(name) for name in sorted(names)}


@cache
def _owners() -> Mapping[str, list[str]]:
    return metadata.packages_distributions()


def ffmpeg_versions() -> dict[str, str]:
    """The FFmpeg that decodes, and its libraries."""
    import av

    libraries = {name: ".".join(map(str, each)) for name, each in av.library_versions.items()}
    return {"version": str(av.ffmpeg_version_info), **libraries}
