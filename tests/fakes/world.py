"""A simulated world for the scheduler's pure core: rows, a cluster, leaders that come and go.

The decisions are the real ones (`View`, `reconcile`, `changes`). Simulated is everything that can
go wrong around them: creates that are late or lost, processes that die or are cut off, objects that
vanish, leaders that freeze.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from tests.fakes.actors import START, Leader, Pod
from videoannotator.domain.failures import Code, Failure, RetryPolicy
from videoannotator.domain.jobs import (
    RUN_FINAL,
    Artifact,
    AttemptOutcome,
    Job,
    Run,
    RunState,
    Wants,
    Worker,
    WorkerState,
    check_run,
    check_worker,
    job_state,
)
from videoannotator.domain.videos import Video
from videoannotator.scheduler import changes
from videoannotator.scheduler.actions import (
    Action,
    Attach,
    Call,
    Create,
    Examine,
    Launch,
    Purge,
    Terminate,
    Wait,
)
from videoannotator.scheduler.inbox import (
    Answered,
    CreateEnded,
    ExamineEnded,
    Finished,
    TerminateEnded,
)
from videoannotator.scheduler.launchers.interface import Observation, Sight, Watch
from videoannotator.scheduler.observed import Ended, Examined
from videoannotator.scheduler.policy import Policy
from videoannotator.scheduler.reconcile import purgeable, reconcile
from videoannotator.scheduler.view import Seen, View
from videoannotator.store.rows import Changes, JobRows

GRACE, MARGIN, LATE, BACKSTOP = 600.0, 90.0, 75.0, 3000.0
LEASE = 15.0
POLICY = Policy(
    max_workers=2,
    late_create_seconds=LATE,
    orphan_grace_seconds=GRACE,
    gone_margin_seconds=MARGIN,
    retry=RetryPolicy(infrastructure_failures=2, pipeline_failures=1, base_delay_seconds=1),
)
WORKING = ("working",)


class Broken(AssertionError):
    """A promise of the protocol was broken."""


@dataclass
class World:
    """Everything that exists."""

    now: datetime = START
    jobs: dict[str, JobRows] = field(default_factory=dict)
    pods: dict[str, Pod] = field(default_factory=dict)
    late: list[tuple[str, datetime]] = field(default_factory=list)  # creates on their way
    manifests: set[tuple[str, int]] = field(default_factory=set)
    leaders: list[Leader] = field(default_factory=list)
    epoch: int = 0
    made: int = 0
    purged: set[str] = field(default_factory=set)
    purged_runs: set[str] = field(default_factory=set)
    worked: list[tuple[str, int]] = field(default_factory=list)
    # what may go wrong with the next create
    create_fate: str = "lands"
    work_fate: str = "done"

    # --- people

    def submit(self, runs: int) -> str:
        """A user asks for `runs` pipelines."""
        self.made += 1
        job_id = f"j{self.made}"
        job = Job(
            id=job_id,
            owner_id="o",
            video_id="v",
            created_at=self.now,
            updated_at=self.now,
        )
        video = Video(
            id="v",
            owner_id="o",
            display_name="v",
            key="videos/o/v/source",
            size_bytes=1,
            sha256="0",
            created_at=self.now,
        )
        self.jobs[job_id] = JobRows(
            job=job,
            video=video,
            runs=tuple(
                Run(
                    id=f"{job_id}r{place}",
                    job_id=job_id,
                    position=place,
                    pipeline="p",
                    created_at=self.now,
                )
                for place in range(runs)
            ),
        )
        return job_id

    def want(self, job_id: str, **wants: datetime) -> None:
        """A user asks for the end, or the deletion, of a job."""
        rows = self.jobs[job_id]
        job = replace(rows.job, wants=replace(rows.job.wants, **wants))
        self.jobs[job_id] = replace(rows, job=replace(job, state=job_state(rows.runs, job.wants)))

    def abandon(self, worker_id: str) -> None:
        """An administrator gives a worker up for lost."""
        for job_id, rows in self.jobs.items():
            workers = tuple(
                replace(w, abandon_requested_at=self.now) if w.id == worker_id else w
                for w in rows.workers
            )
            self.jobs[job_id] = replace(rows, workers=workers)

    # --- leaders

    def take_over(self) -> None:
        """The next leader takes the row, once the lease of the last one is over."""
        if self.leaders:
            last = self.leaders[-1]
            wait = LEASE - (self.now - last.renewed_at).total_seconds()
            if wait > 0:
                self.pass_time(wait, renew=False)
        self.epoch += 1
        self.leaders.append(
            Leader(
                epoch=self.epoch,
                view=View(self.now),
                since=self.now,
                renewed_at=self.now,
            )
        )

    def leads(self, leader: Leader) -> bool:
        """Its lease is valid, by its own clock."""
        return (self.now - leader.renewed_at).total_seconds() < LEASE

    def tick(self, leader: Leader) -> None:
        """One look of a leader and what follows; a stale one is stopped by epoch and lease."""
        if leader.frozen:
            return
        if leader.epoch == self.epoch and not leader.cut:
            leader.renewed_at = self.now
        sights = {w.id: self.sight(leader, w) for w in leader.workers}
        rows = tuple(self.jobs.values())
        leader.view.fold(leader.inbox, self.now)
        leader.inbox = []
        seen = Seen(watch=self.watch(leader), sights=sights)
        observed = leader.view.observed(seen, rows, self.now, draining=False, ending=False)
        for action in reconcile(observed, rows, POLICY, self.now):
            self.act(leader, action)
        leader.workers = tuple(
            w for job in self.jobs.values() for w in job.workers if w.state is not WorkerState.GONE
        )

    def change(
        self, leader: Leader, job_id: str, decide: Callable[[JobRows], Changes | None]
    ) -> Changes | None:
        """A transaction: under the leader row's lock, on fresh rows."""
        if leader.epoch != self.epoch or leader.cut or job_id not in self.jobs:
            return None
        rows = self.jobs[job_id]
        made = decide(rows)
        if made is not None:
            self.jobs[job_id] = apply(rows, made, self.now)
        return made

    def act(self, leader: Leader, action: Action) -> None:
        """Carries one action out, as the shell does."""
        match action:
            case Launch():
                self.launch(leader, action)
            case Create(worker_id=worker_id):
                self.create(leader, action.job_id, worker_id)
            case Call(worker_id=worker_id, identity=identity):
                leader.view.called(worker_id, identity)
                self.call(leader, worker_id)
            case Attach(worker_id=worker_id):
                leader.view.attached(worker_id)
                self.annotate(leader, worker_id)
            case Terminate(worker_id=worker_id):
                self.terminate(leader, worker_id)
            case Examine(run_id=run_id, attempt=attempt, worker_id=worker_id):
                self.examine(leader, run_id, attempt, worker_id)
            case Purge():
                self.purge(leader, action.job_id)
            case Wait():
                pass
            case _:
                self.change(
                    leader,
                    action.job_id,
                    lambda rows: changes.decide(action, rows, POLICY.retry, self.now, 0.5),
                )

    def launch(self, leader: Leader, action: Launch) -> None:
        """Writes an attempt and its worker."""
        rows = self.jobs[action.job_id]
        self.made += 1
        number = changes.next_attempt(rows, action.run_id)
        worker = Worker(
            id=f"w{self.made}",
            run_id=action.run_id,
            job_id=action.job_id,
            attempt=number,
            launcher="simulated",
            token_sha256="",
            body={"active_deadline_seconds": BACKSTOP},
            created_at=self.now,
        )
        self.change(leader, action.job_id, lambda rows: changes.launch(rows, worker, self.now))

    def create(self, leader: Leader, job_id: str, worker_id: str) -> None:
        """Records the create; it is sent at `send_creates`."""
        made = self.change(
            leader, job_id, lambda rows: changes.before_create(rows, worker_id, self.now)
        )
        if made is not None:
            leader.view.busy.add(worker_id)
            leader.pending_creates.append(worker_id)

    def send_creates(self, leader: Leader) -> None:
        """What was recorded leaves, while the lease is valid."""
        if leader.frozen:
            return
        recorded, leader.pending_creates = leader.pending_creates, []
        for worker_id in recorded:
            if not self.leads(leader) or leader.cut:
                leader.inbox.append(CreateEnded(worker_id=worker_id))
                continue
            fate, self.create_fate = self.create_fate, "lands"
            landed, again = fate == "lands", None if fate == "lands" else 0.0
            leader.inbox.append(
                CreateEnded(worker_id=worker_id, landed=landed, again_after_seconds=again)
            )
            if fate == "late":
                self.late.append((worker_id, self.now + timedelta(seconds=LATE - 16)))
            elif fate == "lands":
                self.land(worker_id)

    def land(self, worker_id: str) -> None:
        """The cluster takes a create, unless the name is taken."""
        worker = self.worker(worker_id)
        if worker_id in self.pods or worker is None:
            if worker is None:
                raise Broken(f"P3: a create of {worker_id} landed after it was forgotten")
            return
        self.pods[worker_id] = Pod(
            worker_id=worker_id,
            run_id=worker.run_id,
            attempt=worker.attempt,
            heard_at=self.now,
            created_at=self.now,
        )
        for leader in self.leaders:
            if self.watches(leader):
                leader.saw[worker_id] = "alive"

    def watches(self, leader: Leader) -> bool:
        """Its watch shows everything that happens; it has one from its takeover on."""
        seeing = not leader.frozen and not leader.cut and not leader.blind
        return leader.epoch == self.epoch and seeing

    def worker(self, worker_id: str) -> Worker | None:
        """Its row."""
        return next(
            (w for job in self.jobs.values() for w in job.workers if w.id == worker_id), None
        )

    def reaches(self, leader: Leader, pod: Pod) -> bool:
        """A call arrives and is not refused for its epoch."""
        return (
            not leader.cut
            and not pod.cut
            and not leader.frozen
            and self.leads(leader)
            and pod.process in ("idle", "working", "done", "failed")
            and leader.epoch >= pod.epoch
        )

    def call(self, leader: Leader, worker_id: str) -> None:
        """Describe, repeated until it answers."""
        pod = self.pods.get(worker_id)
        if pod is not None and self.reaches(leader, pod):
            self.heard(leader, pod)
            leader.inbox.append(Answered(worker_id=worker_id, described_by=worker_id))

    def heard(self, leader: Leader, pod: Pod) -> None:
        """A call arrived."""
        pod.heard_at = self.now
        pod.epoch = max(pod.epoch, leader.epoch)

    def annotate(self, leader: Leader, worker_id: str) -> None:
        """Annotate, or the stored last message."""
        pod = self.pods.get(worker_id)
        if pod is None or not self.reaches(leader, pod) or pod.stopped:
            return
        self.heard(leader, pod)
        if pod.process == "idle":
            pod.process = "working"
            self.worked.append((pod.run_id, pod.attempt))
        elif pod.process == "done":
            leader.inbox.append(
                Finished(worker_id=worker_id, ended=Ended(outcome=AttemptOutcome.COMPLETED))
            )
        elif pod.process == "failed":
            failure = Failure(code=Code.PIPELINE_ERROR, message="It failed.")
            leader.inbox.append(
                Finished(
                    worker_id=worker_id,
                    ended=Ended(outcome=AttemptOutcome.FAILED, failure=failure),
                )
            )

    def keep_alive(self, leader: Leader) -> None:
        """KeepAlive and the open streams of everything that this leader drives."""
        for worker_id, contact in list(leader.view.contacts.items()):
            pod = self.pods.get(worker_id)
            worker = self.worker(worker_id)
            stopping = worker is None or worker.state is WorkerState.STOPPING
            driven = contact.identity is not None
            if pod is None or stopping or not driven or not self.reaches(leader, pod):
                continue
            self.heard(leader, pod)
            leader.inbox.append(Answered(worker_id=worker_id, described_by=worker_id))
            if contact.attached:
                self.annotate(leader, worker_id)

    def terminate(self, leader: Leader, worker_id: str) -> None:
        """Stop, then the object is deleted."""
        leader.inbox.append(TerminateEnded(worker_id=worker_id))
        pod = self.pods.get(worker_id)
        if pod is None or not self.leads(leader) or leader.cut:
            return
        if self.reaches(leader, pod):
            self.heard(leader, pod)
            pod.stopped = True
            if pod.process == "working":
                pod.process = "idle"
        pod.deleting = True

    def examine(self, leader: Leader, run_id: str, attempt: int, worker_id: str) -> None:
        """Looks for the manifest."""
        found = Examined(artifacts=None)
        if (run_id, attempt) in self.manifests:
            found = Examined(artifacts=(artifact(run_id, attempt),))
        message = ExamineEnded(worker_id=worker_id, key=(run_id, attempt), examined=found)
        leader.inbox.append(message)

    def purge(self, leader: Leader, job_id: str) -> None:
        """Rows and bytes of a deleted job go."""
        rows = self.jobs.get(job_id)
        if leader.epoch == self.epoch and not leader.cut and rows and purgeable(rows):
            self.purged.add(job_id)
            self.purged_runs |= {run.id for run in rows.runs}
            del self.jobs[job_id]

    # --- the cluster

    def watch(self, leader: Leader) -> Watch:
        """How well this leader sees: without a gap from its takeover, or the last break, on."""
        if leader.blind:
            return Watch(trouble="the cluster does not answer", gapless_seconds=0.0)
        gapless = (self.now - max(leader.sees_since, leader.since)).total_seconds()
        return Watch(gapless_seconds=gapless)

    def blinded(self, leader: Leader, blind: bool) -> None:
        """Its watch breaks, or it lists anew and watches on."""
        if leader.blind and not blind:
            leader.sees_since = self.now
        leader.blind = blind

    def sight(self, leader: Leader, worker: Worker) -> Observation:
        """What this leader's watch shows of a worker."""
        if leader.blind:
            return leader.sights.get(worker.id, Observation(sight=Sight.UNSEEN))
        leader.sights[worker.id] = self.look(leader, worker)
        return leader.sights[worker.id]

    def look(self, leader: Leader, worker: Worker) -> Observation:
        """What the cluster tells this leader of a worker now."""
        pod = self.pods.get(worker.id)
        if pod is None or not pod.object:
            if leader.saw.get(worker.id) == "terminal":
                return Observation(sight=Sight.GONE)
            parent = pod is not None and pod.parent
            known = parent or worker.id in leader.saw or worker.identity is not None
            return Observation(sight=Sight.UNKNOWN if known else Sight.UNSEEN)
        if pod.process == "dead" and not pod.cut:
            leader.saw[worker.id] = "terminal"
            return Observation(sight=Sight.ENDED, identity=worker.id)
        leader.saw[worker.id] = "alive"
        if pod.process == "bound":
            return Observation(sight=Sight.WAITING)
        return Observation(sight=Sight.ALIVE, address="a", identity=worker.id)

    def kubelet(self) -> None:
        """What the cluster does by itself: starts, kills what is deleted, removes its objects."""
        for pod in self.pods.values():
            if not pod.cut:
                self._kubelet(pod)

    def _kubelet(self, pod: Pod) -> None:
        if pod.deleting or not pod.object:
            pod.process = "dead"
            if pod.object:
                for leader in self.leaders:
                    if self.watches(leader):
                        leader.saw[pod.worker_id] = "terminal"
            pod.object = False
            pod.parent = pod.parent and not pod.deleting
        elif pod.process == "bound":
            pod.process, pod.heard_at = "idle", self.now

    def work(self) -> None:
        """Work in hand ends."""
        fate, self.work_fate = self.work_fate, "done"
        for pod in self.pods.values():
            if pod.process == "working":
                pod.process = fate
                if fate == "done":
                    self.write_manifest(pod)

    def write_manifest(self, pod: Pod) -> None:
        """The result is there."""
        if pod.run_id in self.purged_runs:
            raise Broken(f"P7: {pod.run_id} was deleted and got bytes again")
        self.manifests.add((pod.run_id, pod.attempt))

    def pass_time(self, seconds: float, *, renew: bool = True) -> None:
        """Time passes for everybody; what must have happened by then happens."""
        self.now += timedelta(seconds=seconds)
        for worker_id, at in list(self.late):
            if at <= self.now:
                self.late.remove((worker_id, at))
                self.land(worker_id)
        for pod in self.pods.values():
            silent = (self.now - pod.heard_at).total_seconds()
            old = (self.now - pod.created_at).total_seconds()
            if pod.process in ("idle", "working", "done", "failed") and silent >= GRACE:
                pod.process = "dead"  # the orphan rule: the worker's own clock
            if pod.alive and old >= BACKSTOP:
                pod.process = "dead"  # activeDeadlineSeconds: the kubelet's own clock

    # --- promises

    def check(self) -> None:
        """Raises: Broken, naming the promise."""
        self._one_at_a_time()
        for rows in self.jobs.values():
            for run in rows.runs:
                self._check_run(rows, run)
        for pod in self.pods.values():
            worker = self.worker(pod.worker_id)
            if pod.alive and worker is None:
                raise Broken(f"P7: {pod.worker_id} lives and its row is gone")
            if pod.alive and worker and not worker.charged and not worker.abandon_requested_at:
                raise Broken(f"P3: {pod.worker_id} lives and its slot is free")

    def _one_at_a_time(self) -> None:
        working = [pod.run_id for pod in self.pods.values() if pod.process in WORKING]
        if len(working) != len(set(working)):
            raise Broken(f"P1: two processes work on one run: {working}")

    def _check_run(self, rows: JobRows, run: Run) -> None:
        own = [a for a in rows.attempts if a.run_id == run.id]
        if sum(a.open for a in own) > 1:
            raise Broken(f"P1: two attempts of {run.id} are open")
        lives = [
            pod
            for pod in self.pods.values()
            if pod.run_id == run.id and pod.alive and not self._abandoned(pod)
        ]
        if run.state is RunState.CANCELLED and lives:
            raise Broken(f"P2: {run.id} is cancelled and its process lives")
        given_up = {w.id for w in rows.workers if w.abandon_requested_at}
        finished = any(
            (run.id, a.number) in self.manifests and not a.open and a.worker_id not in given_up
            for a in own
        )
        if finished and run.state in (RunState.FAILED, RunState.CANCELLED, RunState.PENDING):
            raise Broken(f"P4: {run.id} has a result and is {run.state}")

    def _abandoned(self, pod: Pod) -> bool:
        worker = self.worker(pod.worker_id)
        return worker is not None and worker.abandon_requested_at is not None

    def settled(self) -> bool:
        """Every run has ended, every worker is gone, every deletion is done."""
        return all(
            all(run.state in RUN_FINAL for run in rows.runs)
            and all(w.state is WorkerState.GONE for w in rows.workers)
            and rows.job.wants.delete_requested_at is None
            for rows in self.jobs.values()
        )


def apply(rows: JobRows, made: Changes, now: datetime) -> JobRows:
    """What the store does with changes. Raises what the store raises."""
    runs = {run.id: run for run in rows.runs}
    for run in made.runs:
        if runs[run.id].state is not run.state:
            check_run(runs[run.id].state, run.state)
        runs[run.id] = run
    workers = {worker.id: worker for worker in rows.workers}
    for worker in made.workers:
        if worker.id in workers and workers[worker.id].state is not worker.state:
            check_worker(workers[worker.id].state, worker.state)
        abandoned = workers[worker.id].abandon_requested_at if worker.id in workers else None
        workers[worker.id] = replace(worker, abandon_requested_at=abandoned)
    attempts = {(a.run_id, a.number): a for a in rows.attempts}
    attempts.update({(a.run_id, a.number): a for a in made.attempts})
    job = replace(rows.job, state=job_state(tuple(runs.values()), rows.job.wants), updated_at=now)
    return replace(
        rows,
        job=job,
        runs=tuple(runs.values()),
        workers=tuple(workers.values()),
        attempts=tuple(attempts.values()),
    )


def artifact(run_id: str, attempt: int) -> Artifact:
    """A result file."""
    return Artifact(
        id=f"{run_id}-{attempt}",
        job_id="",
        run_id=run_id,
        pipeline="p",
        attempt=attempt,
        name="f",
        public_name="f",
        media_type="text/plain",
        size_bytes=1,
        sha256="0",
    )


__all__ = ["START", "Broken", "Wants", "World"]
