"""What was seen of each worker in the cluster: its Kubernetes Jobs and pods, there or not."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from videoannotator.scheduler.launchers.kubernetes import names
from videoannotator.scheduler.launchers.kubernetes.sightings import Seen
from videoannotator.scheduler.launchers.kubernetes.views import EventView, JobView, PodView

Thing = TypeVar("Thing")

BEGINNING = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """Everything that was seen of one worker."""

    jobs: tuple[JobView, ...] = ()  #: Kubernetes Jobs that are there
    pods: tuple[PodView, ...] = ()  #: pods that are there
    departed_jobs: tuple[Seen[JobView], ...] = ()  #: that are not there any more
    departed_pods: tuple[Seen[PodView], ...] = ()
    events: tuple[EventView, ...] = ()
    confirmed: bool = False  #: what is missing was looked for by its name as well

    @property
    def empty(self) -> bool:
        """Nothing was ever seen."""
        return not (self.jobs or self.pods or self.departed_jobs or self.departed_pods)

    @property
    def job(self) -> JobView | None:
        """The Kubernetes Job that is there; the newest, where somebody made two."""
        return max(self.jobs, key=age_of, default=None)

    @property
    def ran(self) -> bool:
        """A pod of it was seen."""
        return bool(self.pods or self.departed_pods)

    def uids(self) -> set[str]:
        """Of all objects."""
        jobs = [each.view.uid for each in self.departed_jobs]
        pods = [each.view.uid for each in self.departed_pods]
        return {*jobs, *pods, *self.present_uids()}

    def present_uids(self) -> list[str]:
        """Of all that is there, the Kubernetes Jobs first."""
        return [*(job.uid for job in self.jobs), *(pod.uid for pod in self.pods)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copies:
    """What two watches have: by UID, there and not there any more."""

    jobs: Mapping[str, JobView]
    pods: Mapping[str, PodView]
    departed_jobs: Mapping[str, Seen[JobView]] = field(default_factory=dict)
    departed_pods: Mapping[str, Seen[PodView]] = field(default_factory=dict)


def traces_of(copies: Copies) -> dict[str, Trace]:
    """What was seen of each worker, by its id; what is not ours has no annotation of ours."""
    jobs = _by_worker(copies.jobs.values(), worker_of)
    pods = _by_worker(copies.pods.values(), worker_of)
    departed_jobs = _by_worker(copies.departed_jobs.values(), _worker_of_departed)
    departed_pods = _by_worker(copies.departed_pods.values(), _worker_of_departed)
    return {
        worker_id: Trace(
            jobs=tuple(jobs.get(worker_id, ())),
            pods=tuple(pods.get(worker_id, ())),
            departed_jobs=tuple(departed_jobs.get(worker_id, ())),
            departed_pods=tuple(departed_pods.get(worker_id, ())),
        )
        for worker_id in {*jobs, *pods, *departed_jobs, *departed_pods}
    }


def found_again(trace: Trace, jobs: Collection[JobView], pods: Collection[PodView]) -> Trace:
    """The trace with what a look by name found: somebody took its labels away."""
    present = set(trace.present_uids())
    new_jobs = tuple(each for each in jobs if each.uid not in present)
    new_pods = tuple(each for each in pods if each.uid not in present)
    back = {*(job.uid for job in new_jobs), *(pod.uid for pod in new_pods)}
    return replace(
        trace,
        jobs=(*trace.jobs, *new_jobs),
        pods=(*trace.pods, *new_pods),
        departed_jobs=tuple(each for each in trace.departed_jobs if each.view.uid not in back),
        departed_pods=tuple(each for each in trace.departed_pods if each.view.uid not in back),
    )


def worker_of(view: JobView | PodView) -> str:
    """The worker that an object belongs to; empty when it is not ours."""
    return view.annotations.get(names.WORKER, "")


def _worker_of_departed(seen: Seen[JobView] | Seen[PodView]) -> str:
    return worker_of(seen.view)


def _by_worker(objects: Iterable[Thing], whose: Callable[[Thing], str]) -> dict[str, list[Thing]]:
    found: dict[str, list[Thing]] = {}
    for each in objects:
        if worker_id := whose(each):
            found.setdefault(worker_id, []).append(each)
    return found


def age_of(view: JobView | PodView) -> datetime:
    """When an object was made."""
    return view.created_at or BEGINNING
