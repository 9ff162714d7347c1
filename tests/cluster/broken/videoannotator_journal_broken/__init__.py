"""The journal pipeline under names whose workers the test's site cannot run.

No image has this: a scheduler needs the specification of a pipeline alone.
"""

from dataclasses import replace

from videoannotator_journal.spec import SPEC as JOURNAL

from videoannotator.pipelines.interface import PipelineSpec


def _named(name: str) -> PipelineSpec:
    return replace(JOURNAL, name=name, display_name=name)


MISSING_IMAGE = _named("missing_image")
BAD_IMAGE = _named("bad_image")
TOO_LARGE = _named("too_large")
NOWHERE = _named("nowhere")
ENDS_64 = _named("ends_64")
ENDS_65 = _named("ends_65")
ENDS_66 = _named("ends_66")
ENDS_75 = _named("ends_75")
ENDS_76 = _named("ends_76")
ENDS_137 = _named("ends_137")
