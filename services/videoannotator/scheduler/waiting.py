"""Who goes next, and why the others wait: pure."""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from videoannotator.domain.jobs import Job, Resources, Run, RunState, Worker, WorkerState
from videoannotator.scheduler.launchers.interface import Sight
from videoannotator.scheduler.observed import Observed
from videoannotator.scheduler.policy import Policy
from videoannotator.store.rows import JobRows

MAX_AGING_CLASSES = 200  # more than the range of priorities: who waits long enough goes first


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A run that waits for a worker."""

    job: Job
    run: Run


@dataclass(slots=True, kw_only=True)
class Use:
    """What is charged at one moment; grows while a tick hands out slots."""

    workers: int = 0
    gpu_workers: int = 0
    stopping: int = 0
    owners: Counter[str] = field(default_factory=Counter)
    pipelines: Counter[str] = field(default_factory=Counter)
    unplaced: Counter[str] = field(default_factory=Counter)  #: by shape
    gpu_indices: set[int] = field(default_factory=set)

    def charge(self, owner_id: str, pipeline: str, gpus: int) -> None:
        """Takes one slot."""
        self.workers += 1
        self.gpu_workers += gpus > 0
        self.owners[owner_id] += 1
        self.pipelines[pipeline] += 1


def used(rows: Iterable[JobRows], observed: Observed, policy: Policy) -> Use:
    """Computes the charged slots from rows and observations; nothing is ever counted down."""
    use = Use()
    for stray in observed.strays:
        if stray.running:  # whoever launched it is forgotten, and its place is not free
            use.workers += 1
            use.gpu_workers += stray.gpus > 0
            use.stopping += 1
    for job in rows:
        pipelines = {run.id: run.pipeline for run in job.runs}
        for worker in job.workers:
            if worker.charged:
                pipeline = pipelines[worker.run_id]
                gpus = gpus_of(pipeline, worker.resources, policy)
                use.charge(job.job.owner_id, pipeline, gpus)
                if not _placed(worker, observed):
                    use.unplaced[shape(pipeline, worker.resources, policy)] += 1
                use.stopping += worker.state is WorkerState.STOPPING
                use.gpu_indices.update(worker.gpus)
    return use


def shape(pipeline: str, resources: Resources, policy: Policy) -> str:
    """What decides where a worker fits: its number of GPUs, and what the site says of its nodes."""
    return f"{gpus_of(pipeline, resources, policy)} {policy.shapes.get(pipeline, '')}"


def gpus_of(pipeline: str, resources: Resources, policy: Policy) -> int:
    """How many GPUs a worker of a pipeline gets."""
    return policy.gpus.get(pipeline, resources.gpus)


def _placed(worker: Worker, observed: Observed) -> bool:
    if worker.state is not WorkerState.LAUNCHING:
        return True
    seen = observed.sights.get(worker.id)
    return seen is not None and seen.sight not in (Sight.UNSEEN, Sight.WAITING)


def waiting(rows: Iterable[JobRows]) -> list[Waiting]:
    """Every run that waits for a worker and may have one."""
    return [
        Waiting(job=job.job, run=run)
        for job in rows
        if not job.job.wants.stop
        for run in job.runs
        if run.state is RunState.PENDING
    ]


def ordered(queue: Iterable[Waiting], use: Use, policy: Policy, now: datetime) -> list[Waiting]:
    """First to go first: priority class, then round robin over owners by what they hold, then age.

    Aging lifts a run by one class for each `aging_seconds` it has waited.
    """
    classes: dict[int, dict[str, list[Waiting]]] = defaultdict(lambda: defaultdict(list))
    for one in sorted(queue, key=_age):
        classes[_priority(one, policy, now)][one.job.owner_id].append(one)
    held = Counter(use.owners)
    line: list[Waiting] = []
    for priority in sorted(classes, reverse=True):
        line += _round_robin(classes[priority], held)
    return line


def _age(one: Waiting) -> tuple[datetime, str, int]:
    return (one.run.created_at, one.job.id, one.run.position)


def _priority(one: Waiting, policy: Policy, now: datetime) -> int:
    waited = max((now - one.run.created_at).total_seconds(), 0.0)
    return one.job.priority + min(int(waited / policy.aging_seconds), MAX_AGING_CLASSES)


def _round_robin(owners: dict[str, list[Waiting]], held: Counter[str]) -> list[Waiting]:
    """Takes from the owner who holds least, then whose first run is oldest; `held` grows."""
    heap = [(held[owner], _age(runs[0]), owner, 0) for owner, runs in owners.items()]
    heapq.heapify(heap)
    line = []
    while heap:
        holds, _, owner, place = heapq.heappop(heap)
        line.append(owners[owner][place])
        held[owner] = holds + 1
        if place + 1 < len(owners[owner]):
            heapq.heappush(heap, (holds + 1, _age(owners[owner][place + 1]), owner, place + 1))
    return line


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitted:
    """A run that may start now."""

    waiting: Waiting
    gpus: tuple[int, ...]  #: indices of local GPUs


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A run that may not start yet."""

    waiting: Waiting
    position: int  #: from 1
    reason: str


def admit(
    line: Sequence[Waiting], use: Use, policy: Policy, now: datetime, *, closed: str = ""
) -> tuple[list[Admitted], list[Held]]:
    """Hands out free slots in order; a run that cannot have one does not hold up another shape.

    `closed` is the reason why nothing may start at all, empty when something may. `use` grows by
    what is handed out.
    """
    admitted: list[Admitted] = []
    held: list[Held] = []
    for one in line:
        reason = closed or obstacle(one, use, policy, now)
        if reason:
            held.append(Held(waiting=one, position=len(held) + 1, reason=reason))
            continue
        gpus = _indices(one.run.resources.gpus, use, policy)
        use.gpu_indices.update(gpus)
        gpus_of_it = gpus_of(one.run.pipeline, one.run.resources, policy)
        use.charge(one.job.owner_id, one.run.pipeline, gpus_of_it)
        use.unplaced[shape(one.run.pipeline, one.run.resources, policy)] += 1
        admitted.append(Admitted(waiting=one, gpus=gpus))
    return admitted, held


def obstacle(one: Waiting, use: Use, policy: Policy, now: datetime) -> str:
    """Why a run may not start now, one sentence; empty when it may."""
    return next(_obstacles(one, use, policy, now), "")


def _obstacles(one: Waiting, use: Use, policy: Policy, now: datetime) -> Iterator[str]:
    run = one.run
    gpus = gpus_of(run.pipeline, run.resources, policy)
    if run.pipeline in policy.missing:
        yield policy.missing[run.pipeline]
    if run.not_before is not None and run.not_before > now:
        yield "waits before the next try"
    if gpus and use.gpu_workers >= policy.max_gpu_workers:
        yield _in_use("a GPU", use.gpu_workers, policy.max_gpu_workers, use.stopping)
    if use.workers >= policy.max_workers:
        yield _in_use("a slot", use.workers, policy.max_workers, use.stopping)
    of_owner = policy.max_workers_per_owner
    if of_owner and use.owners[one.job.owner_id] >= of_owner:
        yield f"waits for another run of the same owner: {of_owner} at a time"
    of_pipeline = policy.max_workers_per_pipeline.get(run.pipeline)
    if of_pipeline is not None and use.pipelines[run.pipeline] >= of_pipeline:
        yield f"waits for another run of {run.pipeline}: {of_pipeline} at a time"
    if use.unplaced[shape(run.pipeline, run.resources, policy)] >= policy.unplaced_window:
        yield "waits until the workers before it have a place"
    if policy.local_gpus and gpus > policy.local_gpus - len(use.gpu_indices):
        yield _in_use("a GPU", len(use.gpu_indices), policy.local_gpus, use.stopping)


def _in_use(what: str, used: int, limit: int, stopping: int) -> str:
    ending = f", {stopping} stopping" if stopping else ""
    return f"waiting for {what}: {used} of {limit} in use{ending}"


def _indices(count: int, use: Use, policy: Policy) -> tuple[int, ...]:
    """The lowest free GPU indices; none on a machine without GPUs, where the CPU serves."""
    free = [index for index in range(policy.local_gpus or 0) if index not in use.gpu_indices]
    return tuple(free[:count])
