"""The Silero VAD model that comes with faster-whisper, run window by window on one CPU thread."""

import hashlib
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from videoannotator.domain.errors import PipelineUnavailable
from videoannotator.pipelines.voice_activity.segmentation import WINDOW_SAMPLES
from videoannotator.settings.declining import decline_telemetry

decline_telemetry()
import onnxruntime  # noqa: E402 - it reports on its use as soon as it is imported

FILE = "silero_vad_v6.onnx"
# Of the file in faster-whisper 1.2.1. Another file may give other segments, so it is refused.
SHA256 = "4cbf549b8326f60f80f2536d9eefeb450a9abe83365a098031c89719f1be17d2"
CONTEXT_SAMPLES = 64  #: of the window before, which the model sees again
STATE_SHAPE = (1, 1, 128)
ENGINE_ERRORS_ONLY = 4  #: log severity of onnxruntime: fatal

Samples = NDArray[np.float32]


class Silero:
    """A recurrent model: windows are to be given in order; `reset` begins another sound."""

    def __init__(self, model: bytes) -> None:
        """`model` is the content of the ONNX file."""
        self._session = onnxruntime.InferenceSession(
            model, providers=["CPUExecutionProvider"], sess_options=_options()
        )
        self.reset()

    def reset(self) -> None:
        """Forgets what was heard."""
        self._h = np.zeros(STATE_SHAPE, np.float32)
        self._c = np.zeros(STATE_SHAPE, np.float32)
        self._context = np.zeros(CONTEXT_SAMPLES, np.float32)

    def probabilities(self, samples: Samples) -> Samples:
        """Probability of speech in each window, float32 (n,).

        `samples` is float32 mono 16 kHz, (n * WINDOW_SAMPLES,).
        """
        windows = samples.reshape(-1, WINDOW_SAMPLES)
        if len(windows) == 0:
            return np.empty(0, np.float32)
        before = np.vstack([self._context, windows[:-1, -CONTEXT_SAMPLES:]])
        self._context = windows[-1, -CONTEXT_SAMPLES:].copy()
        inputs = {"input": np.hstack([before, windows]), "h": self._h, "c": self._c}
        found, self._h, self._c = self._session.run(None, inputs)
        return np.asarray(found, np.float32).reshape(-1)


def read_model() -> bytes:
    """The model's bytes, checked before anything opens them. Raises: PipelineUnavailable."""
    # Found without importing faster_whisper, which would load CTranslate2 for nothing.
    package = find_spec("faster_whisper")
    if package is None or package.origin is None:
        raise _unavailable("faster-whisper is not installed here")
    path = Path(package.origin).parent / "assets" / FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unavailable("the installed faster-whisper does not bring the model") from error
    if hashlib.sha256(content).hexdigest() != SHA256:
        raise _unavailable("the model that came with faster-whisper has another checksum")
    return content


def provenance() -> dict[str, Any]:
    """Engine, versions, weights and device of this model."""
    return {
        "engine": "Silero VAD v6",
        "libraries": {
            "onnxruntime": version("onnxruntime"),
            "faster-whisper": version("faster-whisper"),
            "numpy": version("numpy"),
            "av": version("av"),
        },
        "weights": [{"name": FILE, "source": "faster-whisper", "sha256": SHA256, "licence": "MIT"}],
        "device": "cpu",
        "precision": "float32",
        "threads": 1,
    }


def _options() -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.inter_op_num_threads = 1
    options.intra_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = ENGINE_ERRORS_ONLY
    return options


def _unavailable(reason: str) -> PipelineUnavailable:
    return PipelineUnavailable(
        f"Voice activity cannot run here: {reason}.",
        hint="Run: pip install --force-reinstall 'faster-whisper==1.2.1'",
    )
