"""The pipeline that the guide writes: it is listed, checked and run as any other."""

import re
import sys
import types
from pathlib import Path

import pytest

from tests.architecture.source import ROOT
from tests.fakes.context import context_for, run
from videoannotator.media.sample import make_sample
from videoannotator.pipelines.interface import PipelineSpec

GUIDE = ROOT / "docs" / "guides" / "add-a-pipeline.md"
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
PACKAGE = "videoannotator.pipelines.loudness"


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch) -> PipelineSpec:
    """The guide's modules, as if its folder were there."""
    blocks = PYTHON.findall(GUIDE.read_text(encoding="utf-8"))
    for name, source in zip(("spec", "pipeline"), blocks, strict=True):
        module = types.ModuleType(f"{PACKAGE}.{name}")
        monkeypatch.setitem(sys.modules, module.__name__, module)
        exec(compile(source, str(GUIDE), "exec"), module.__dict__)
    found = sys.modules[f"{PACKAGE}.spec"].SPEC
    assert isinstance(found, PipelineSpec)
    return found


def test_the_pipeline_of_the_guide_finds_what_is_loud(spec: PipelineSpec, tmp_path: Path) -> None:
    video = tmp_path / "sample.mp4"
    make_sample(video)

    loud = run(spec, context_for(video, tmp_path / "loud"), threshold_db=-40.0)
    none = run(spec, context_for(video, tmp_path / "none"), threshold_db=0.0)

    assert loud.outcome.summary["segments"] > 0
    assert none.outcome.summary == {"segments": 0}
    assert [output.name for output in spec.outputs] == list(loud.files)
    assert len(loud.json("loudness.json")["segments"]) == loud.outcome.summary["segments"]
