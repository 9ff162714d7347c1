"""What the journal pipeline can be told to do."""

from typing import Literal

from pydantic import Field

from videoannotator.domain.jobs import Resources
from videoannotator.domain.pipelines import Output, Stability
from videoannotator.pipelines.interface import Parameters, PipelineSpec

EXTRA_FILES = 9  # declared optional outputs

Fault = Literal[
    "",
    "bug",
    "exit",
    "media",
    "memory",
    "gpu_memory",
    "storage_full",
    "disk_full",
    "request",
    "stopped",
]


class JournalParameters(Parameters):
    """In this order: load, freeze, work, then the fault or the files."""

    journal: str = Field("", description="File that gets a line per event; empty: none.")
    seconds: float = Field(0.0, ge=0, description="Time of work, with checkpoints.")
    until: str = Field("", description="File for which it then waits, at work; empty: for none.")
    load_seconds: float = Field(
        0.0, ge=0, description="Time of loading, without a word or a checkpoint."
    )
    hang_seconds: float = Field(0.0, ge=0, description="Time of work without a checkpoint.")
    freeze_seconds: int = Field(
        0, ge=0, description="Time in which the interpreter is held: nothing else runs."
    )
    ignore_sigterm: bool = Field(False, description="The process ignores SIGTERM.")
    child_seconds: float = Field(0.0, ge=0, description="Starts a child that sleeps so long.")
    child_new_session: bool = Field(False, description="The child leaves the worker's session.")
    allocate_bytes: int = Field(0, ge=0, description="Memory to hold while it works.")
    fault: Fault = Field("", description="How the work fails; empty: not at all.")
    fault_attempts: int = Field(
        1_000_000, ge=0, description="The fault strikes in attempts up to this one."
    )
    die_signal: int = Field(0, ge=0, description="Signal that the process sends to itself.")
    files: int = Field(0, ge=0, le=EXTRA_FILES, description="Extra files to write.")
    file_bytes: int = Field(0, ge=0, description="Size of each extra file.")
    undeclared: bool = Field(False, description="Also writes a file it did not declare.")
    leave_out: bool = Field(False, description="Does not write the file it must.")
    log_lines: int = Field(0, ge=0, description="Lines to tell the owner.")


SPEC = PipelineSpec(
    name="journal",
    display_name="Journal",
    description="Writes down when it worked.",
    version="1.0",
    parameters=JournalParameters,
    outputs=(
        Output(
            name="journal.json",
            public_name="{stem}_journal.json",
            media_type="application/json",
            format="JSON",
            types=("journal",),
        ),
        *(
            Output(
                name=f"extra-{number}.bin",
                public_name=f"{{stem}}_extra_{number}.bin",
                media_type="application/octet-stream",
                format="BIN",
                optional=True,
            )
            for number in range(1, EXTRA_FILES + 1)
        ),
    ),
    implementation="videoannotator_journal.pipeline:JournalPipeline",
    requires=(),
    extra="inference",
    resources=Resources(gpus=0, cpus=0.1, memory_bytes=256 * 1024**2),
    stability=Stability.EXPERIMENTAL,
)
