"""Watches what the node's kernel runs, whatever anybody says: never two pods at one run."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.site import ClusterSite
from tests.cluster.up.processes import Failed
from videoannotator.scheduler.launchers.kubernetes import names

LOOK_SECONDS = 0.3


class Witness:
    """What was seen so far."""

    def __init__(self, site: ClusterSite) -> None:
        """Looks at nothing before `watching`."""
        self.site = site
        self.pods: dict[str, set[str]] = {}  #: the pods that had processes, by run
        self.twice: dict[str, set[str]] = {}  #: pods that had some at the same time, by run
        self._runs: dict[str, str] = {}  # of each pod; empty: of no run of this site

    def look(self) -> None:
        """Looks once."""
        assert self.site.cluster is not None
        at_work: dict[str, set[str]] = {}
        for uid, processes in self.site.cluster.processes_of_pods().items():
            if processes and (run := self._run_of(uid)):
                at_work.setdefault(run, set()).add(uid)
        for run, uids in at_work.items():
            self.pods.setdefault(run, set()).update(uids)
            if len(uids) > 1:
                self.twice.setdefault(run, set()).update(uids)

    def _run_of(self, uid: str) -> str:
        if uid not in self._runs:
            try:
                found = json.loads(self.site.kubectl("get", "pods", "-o", "json"))["items"]
            except Failed:  # the API server is away: ask again
                return ""
            self._runs[uid] = ""
            for pod in found:
                run = pod["metadata"].get("labels", {}).get(names.RUN, "")
                self._runs[pod["metadata"]["uid"]] = run
        return self._runs[uid]


@contextmanager
def watching(site: ClusterSite) -> Iterator[Witness]:
    """A witness that looks all the time."""
    witness, over = Witness(site), threading.Event()

    def look_on() -> None:
        while not over.wait(LOOK_SECONDS):
            witness.look()

    thread = threading.Thread(target=look_on, daemon=True)
    thread.start()
    try:
        yield witness
    finally:
        over.set()
        thread.join()


def what_is_wrong(site: ClusterSite, witness: Witness, job_id: str) -> list[str]:
    """What was lost, done twice or left over of a job that has ended; nothing, it is hoped."""
    wrong = []
    for run in site.runs(job_id):
        if twice := witness.twice.get(run["id"]):
            wrong.append(f"two pods were at work: {twice}")
        kept = site.rows("SELECT * FROM artifacts WHERE run_id = %s", run["id"])
        wanted = 1 if run["state"] == "succeeded" else 0
        if len(kept) != wanted:
            wrong.append(f"{len(kept)} results of a run that has {run['state']}")
    attempts, workers = site.attempts(job_id), site.workers(job_id)
    if len(attempts) != len(workers):
        wrong.append(f"{len(attempts)} attempts with {len(workers)} workers")
    wrong += [f"attempt {one['number']} is open" for one in attempts if one["over_at"] is None]
    wrong += [f"worker {one['id']} is {one['state']}" for one in workers if one["state"] != "gone"]
    selector = f"{names.JOB}={job_id}"
    left = site.kubectl("get", "jobs,pods", "-l", selector, "-o", "name").split()
    return [*wrong, *(f"{one} is left" for one in left)]
