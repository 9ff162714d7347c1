"""What the server tells about its queue and its workers, as records."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from videoannotator.client import reading
from videoannotator.client.reading import Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A run that waits."""

    position: int  #: from 1
    pipeline: str
    job_id: str
    reason: str

    @classmethod
    def read(cls, data: Fields) -> Self:
        """From the server's JSON."""
        return cls(
            position=reading.whole(data, "position"),
            pipeline=reading.text(data, "pipeline"),
            job_id=reading.text(data, "job_id"),
            reason=reading.text(data, "reason"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A worker that holds a slot."""

    worker_id: str
    pipeline: str
    job_id: str
    state: str
    gpus: int
    since: datetime | None
    unproven_since: datetime | None  #: it should be gone since then, and nothing proves it

    @classmethod
    def read(cls, data: Fields) -> Self:
        """From the server's JSON."""
        return cls(
            worker_id=reading.required(data, "worker_id"),
            pipeline=reading.text(data, "pipeline"),
            job_id=reading.text(data, "job_id"),
            state=reading.text(data, "state"),
            gpus=reading.whole(data, "gpus"),
            since=reading.maybe_time(data, "since"),
            unproven_since=reading.maybe_time(data, "unproven_since"),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """Who waits for what, and what is in use."""

    waiting: tuple[Waiting, ...]
    slots: tuple[Slot, ...]
    max_workers: int
    max_gpu_workers: int
    draining: bool
    ticked_at: datetime | None  #: when the scheduler last looked at everything
    trouble: str  #: why workers can be neither seen nor started now; empty: they can
    raw: Mapping[str, Any] = field(repr=False, compare=False)

    @classmethod
    def read(cls, data: Fields) -> Self:
        """From the server's JSON."""
        return cls(
            waiting=reading.items(data, "waiting", Waiting.read),
            slots=reading.items(data, "slots", Slot.read),
            max_workers=reading.whole(data, "max_workers"),
            max_gpu_workers=reading.whole(data, "max_gpu_workers"),
            draining=data.get("draining") is True,
            ticked_at=reading.maybe_time(data, "ticked_at"),
            trouble=reading.text(data, "trouble"),
            raw=data,
        )
