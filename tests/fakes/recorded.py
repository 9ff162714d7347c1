"""Pods as the API server tells them, with their Kubernetes Job and events: tests/fakes/pods."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from videoannotator.scheduler.launchers.kubernetes.views import (
    EventView,
    JobView,
    PodView,
    event_view,
    job_view,
    pod_view,
)

FOLDER = Path(__file__).parent / "pods"
NAMES = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a cluster showed of one worker at one moment."""

    pod: PodView | None
    job: JobView | None
    events: Sequence[EventView]


def recorded(name: str) -> Recorded:
    """One of NAMES, read as the launcher reads it."""
    raw = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    return Recorded(
        pod=None if raw["pod"] is None else pod_view(raw["pod"]),
        job=None if raw["job"] is None else job_view(raw["job"]),
        events=[event_view(each) for each in raw["events"]],
    )
