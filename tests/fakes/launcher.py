"""A launcher whose workers are only remembered, for tests of what uses one."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from videoannotator.domain.errors import VideoAnnotatorError
from videoannotator.domain.failures import Failure
from videoannotator.domain.jobs import Worker, WorkerState
from videoannotator.scheduler.launchers.interface import Observation, Sight, Watch


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a worker will behave."""

    sight: Sight = Sight.ALIVE  #: what it is seen as once it was created
    address: str | None = None  #: gRPC target; None: unix:/fake/<worker id>
    stubborn: bool = False  #: it does not end when asked, only when the grace has passed
    ends_at_once: bool = False
    failure: Failure | None = None  #: why it ended, when it ends by itself
    refused: VideoAnnotatorError | None = None  #: its create raises this
    lines: tuple[str, ...] = ()  #: its log


@dataclass(slots=True, kw_only=True)
class Life:
    """One worker that was started."""

    plan: Plan
    identity: str
    asked_at: float | None = None
    over: bool = False
    failure: Failure | None = None


@dataclass(slots=True, kw_only=True)
class FakeMachine:
    """What stays when a launcher is closed and another one takes its place."""

    plans: dict[str, Plan] = field(default_factory=dict)
    lives: dict[str, Life] = field(default_factory=dict)
    buried: set[str] = field(default_factory=set)
    seen_as: dict[str, Observation] = field(default_factory=dict)  #: wins over the truth
    starts: list[str] = field(default_factory=list)  #: worker ids, one for each real start

    def end(self, worker_id: str, failure: Failure | None = None) -> None:
        """The worker's process ends by itself."""
        life = self.lives[worker_id]
        life.over, life.failure = True, failure

    def living(self) -> set[str]:
        """The workers that run."""
        return {worker_id for worker_id, life in self.lives.items() if not life.over}


class FakeLauncher:
    """Starts nothing and remembers everything."""

    name = "process"
    late_create_seconds = 0.0
    leaves_within_seconds = 0.0

    def __init__(
        self,
        machine: FakeMachine | None = None,
        stop_grace_seconds: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Tell how workers behave through `machine`; two launchers may share one."""
        self.machine = machine or FakeMachine()
        self.created: list[str] = []  #: every call, also the repeated ones
        self.terminated: list[str] = []
        self.forgotten: list[str] = []
        self.cleared: list[str] = []
        self.closed = False
        self.ring: Callable[[], None] = lambda: None
        self.seeing = Watch()  #: what `watch` tells
        self._stop_grace_seconds = stop_grace_seconds
        self._clock = clock

    async def start(self, ring: Callable[[], None]) -> None:
        self.ring = ring

    def watch(self) -> Watch:
        return self.seeing

    async def create(self, worker: Worker) -> None:
        """Raises: what the worker's plan says."""
        self.created.append(worker.id)
        plan = self.machine.plans.get(worker.id, Plan())
        if plan.refused is not None:
            raise plan.refused
        if worker.id in self.machine.lives or worker.id in self.machine.buried:
            return
        self.machine.starts.append(worker.id)
        self.machine.lives[worker.id] = Life(
            plan=plan,
            identity=f"fake@{worker.id}",
            over=plan.ends_at_once,
            failure=plan.failure if plan.ends_at_once else None,
        )

    async def observe(self, workers: Collection[Worker]) -> Mapping[str, Observation]:
        return {worker.id: self._look(worker) for worker in workers}

    def _look(self, worker: Worker) -> Observation:
        if worker.id in self.machine.seen_as:
            return self.machine.seen_as[worker.id]
        life = self.machine.lives.get(worker.id)
        if life is None:
            return self._no_trace(worker)
        if not life.over:
            return Observation(
                sight=life.plan.sight,
                address=life.plan.address or f"unix:/fake/{worker.id}",
                identity=life.identity,
            )
        self.machine.buried.add(worker.id)
        return Observation(sight=Sight.GONE, failure=life.failure)

    def _no_trace(self, worker: Worker) -> Observation:
        if worker.id in self.machine.buried:
            return Observation(sight=Sight.GONE)
        if worker.identity is not None:
            return Observation(sight=Sight.UNKNOWN)
        if worker.state is not WorkerState.STOPPING:
            return Observation(sight=Sight.UNSEEN)
        self.machine.buried.add(worker.id)
        return Observation(sight=Sight.GONE)

    async def terminate(self, worker: Worker) -> None:
        self.terminated.append(worker.id)
        life = self.machine.lives.get(worker.id)
        if life is None or life.over:
            return
        if life.asked_at is None:
            life.asked_at = self._clock()
            life.over = not life.plan.stubborn
        elif self._clock() - life.asked_at >= self._stop_grace_seconds:
            life.over = True

    async def logs(self, worker: Worker, lines: int) -> list[str]:
        life = self.machine.lives.get(worker.id)
        return list(life.plan.lines[-lines:]) if life and lines > 0 else []

    async def forget(self, worker_id: str) -> None:
        self.forgotten.append(worker_id)
        if worker_id in self.machine.buried:
            self.machine.lives.pop(worker_id, None)

    async def clear(self, worker_id: str) -> None:
        self.cleared.append(worker_id)

    async def close(self) -> None:
        self.closed = True
