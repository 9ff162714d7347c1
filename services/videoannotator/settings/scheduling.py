"""What runs at once, how long is waited for what, and where workers run."""

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from videoannotator.settings.addresses import UNIX
from videoannotator.settings.group import Group
from videoannotator.settings.kinds import (
    TOGETHER,
    Count,
    Endpoint,
    Limits,
    Listen,
    Seconds,
    Some,
    only,
)
from videoannotator.settings.variables import variable


class SchedulerSettings(Group):
    """Where the scheduler listens, how much runs at once, and how long is waited for what."""

    launcher: Literal["process", "kubernetes"] = Field(
        default="process",
        description="What workers are: processes of this machine, or Kubernetes Jobs.",
    )
    listen: Listen = Field(
        default=UNIX,
        json_schema_extra=only("unix, or HOST:PORT as 0.0.0.0:50052, where port 0 is any free one"),
        description="Where to serve the api: unix is a socket for an api on the same machine, "
        "HOST:PORT one for all machines; port 0: any free one.",
    )
    address: Endpoint = Field(
        default="",
        json_schema_extra=only("HOST:PORT, as scheduler-0.example.org:50052"),
        description="HOST:PORT under which the api reaches this scheduler, written into the "
        "database when it leads. Empty: as listen, with this machine's name for 0.0.0.0 or [::].",
    )
    max_workers: Some = Field(default=2, description="Workers at a time. Two keep a laptop usable.")
    max_gpu_workers: Count = Field(
        default=2, description="Workers with a GPU at a time, among all workers."
    )
    max_workers_per_owner: Count = Field(
        default=0, description="Workers of one owner at a time; 0: no limit."
    )
    max_workers_per_pipeline: Limits = Field(
        default={}, description="Workers of a pipeline at a time, as speech=1,face=2."
    )
    gpus: Count = Field(
        default=0, description="GPUs of this machine that workers may use, from index 0."
    )
    unplaced_window: Some = Field(
        default=2,
        description="Workers per shape of resources that the cluster has not placed yet. More "
        "would only fill its queue.",
    )
    tick_seconds: Seconds = Field(
        default=1.0, description="Longest time between two looks at the queue."
    )
    sweep_seconds: Seconds = Field(
        default=30.0, description="Time between two full sweeps, which find what was missed."
    )
    lease_seconds: Seconds = Field(
        default=15.0, description="A leader that has not renewed its row for so long is none."
    )
    renew_seconds: Seconds = Field(
        default=5.0, description="Time between two renewals: a third of the lease, so two may fail."
    )
    keepalive_seconds: Seconds = Field(
        default=15.0, description="Time between two calls to each worker."
    )
    orphan_grace_seconds: Seconds = Field(
        default=600.0,
        description="A worker that nobody calls for so long ends itself. Long enough for an "
        "upgrade, short enough not to hold a GPU for the night.",
    )
    stop_grace_seconds: Seconds = Field(
        default=30.0, description="Time a worker gets to stop before it is killed."
    )
    pull_timeout_seconds: Seconds = Field(
        default=1200.0,
        description="Time from a worker's place on a node to its process; images are large. "
        "Waiting for a place has no limit.",
    )
    start_timeout_seconds: Seconds = Field(
        default=600.0,
        description="Time from the start of a worker's process to its first answer.",
    )
    no_progress_seconds: Seconds = Field(
        default=600.0, description="A run without progress for so long is ended."
    )
    second_look_seconds: Seconds = Field(
        default=30.0, description="Something missing is believed only after a second look so late."
    )

    @model_validator(mode="after")
    def _renews_in_time(self) -> Self:
        if self.renew_seconds >= self.lease_seconds:
            lease = f"{variable('scheduler.lease_seconds')}, which is {self.lease_seconds:g}"
            fits = f"a number more than 0 and less than {lease}"
            told = {"field": "renew_seconds", "value": f"{self.renew_seconds:g}", "allowed": fits}
            raise PydanticCustomError(TOGETHER, "does not fit another setting", told)
        return self


class KubernetesSettings(Group):
    """Where workers run when they are Kubernetes Jobs."""

    site_file: Path | None = Field(
        default=None,
        json_schema_extra=only("a JSON file, as the chart writes it into a ConfigMap"),
        description="File with what the operator decided about workers: images, limits, nodes, "
        "volumes. The chart writes it.",
    )
    kubeconfig: Path | None = Field(
        default=None,
        json_schema_extra=only("a kubeconfig file"),
        description="File that says where the cluster is and who we are. Empty: the cluster in "
        "whose pod this program runs, with the pod's service account.",
    )
    namespace: str = Field(
        default="", description="Namespace of the workers. Empty: as the site's file says."
    )
    release: str = Field(
        default="",
        description="Name that tells the workers of this installation from those of others in the "
        "namespace. Empty: as the site's file says.",
    )
