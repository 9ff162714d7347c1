"""The journal pipeline under a second name, with a GPU asked for: nothing in it uses one."""

from dataclasses import replace

from videoannotator_journal.spec import SPEC as JOURNAL

SPEC = replace(
    JOURNAL,
    name="journal_gpu",
    display_name="Journal on a GPU",
    resources=replace(JOURNAL.resources, gpus=1),
)
