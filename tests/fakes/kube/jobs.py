"""The Job controller and the garbage collector of a fake cluster."""

from tests.fakes.kube import bodies
from tests.fakes.kube.objects import Body, Objects, timestamp


class Jobs:
    """Keeps the status of Kubernetes Jobs by their pods, and removes what is deleted."""

    def __init__(self, objects: Objects) -> None:
        """Works on these objects."""
        self._objects = objects

    def pods_of(self, job: Body) -> list[Body]:
        """The pods that this Kubernetes Job owns."""
        uid = job["metadata"]["uid"]
        return [pod for pod in self._objects.all("pods") if uid in _owners(pod)]

    def count(self, name: str) -> None:
        """Counts the pods of a Kubernetes Job, and finishes it when its pod has ended."""
        job = self._objects.get("jobs", name)
        if job is None:
            return
        counted = dict(job["status"])
        phases = [(pod["status"].get("phase"), pod) for pod in self.pods_of(job)]
        counted["active"] = sum(_active(phase, pod) for phase, pod in phases)
        counted["terminating"] = sum(_going(pod) for phase, pod in phases if not _over(phase))
        counted["succeeded"] = sum(phase == "Succeeded" for phase, _ in phases) or counted.get(
            "succeeded", 0
        )
        counted["failed"] = sum(phase == "Failed" for phase, _ in phases) or counted.get(
            "failed", 0
        )
        if counted != job["status"]:
            self._objects.change("jobs", name, lambda it: it.update(status=counted))
            self._finish(name)

    def holds(self, pod: Body) -> bool:
        """Whether a pod that is deleted stays until its Kubernetes Job has seen it end."""
        if _over(pod["status"].get("phase")) or not pod["spec"].get("nodeName"):
            return False
        return any(
            job["metadata"]["uid"] in _owners(pod)
            and job["spec"].get("podReplacementPolicy") == "Failed"
            and "deletionTimestamp" not in job["metadata"]
            for job in self._objects.all("jobs")
        )

    def delete(self, name: str, propagation: object) -> Body:
        """Marks a Kubernetes Job as being deleted; its pods go first."""

        def mark(job: Body) -> None:
            job["metadata"].setdefault("deletionTimestamp", timestamp())
            if propagation == "Foreground":
                job["metadata"]["finalizers"] = ["foregroundDeletion"]

        return self._objects.change("jobs", name, mark)

    def settle(self, name: str) -> None:
        """Removes a Kubernetes Job that is being deleted once its pods are gone."""
        job = self._objects.get("jobs", name)
        if job is None or "deletionTimestamp" not in job["metadata"] or self.pods_of(job):
            return
        self._objects.remove("jobs", name)

    def _finish(self, name: str) -> None:
        job = self._objects.get("jobs", name)
        assert job is not None
        if job["status"].get("conditions"):
            return
        if job["status"]["succeeded"]:
            self._objects.change(
                "jobs", name, lambda it: bodies.put_condition(it, "Complete", True)
            )
        elif job["status"]["failed"]:
            words = {"reason": "BackoffLimitExceeded", "message": "Job has reached the limit"}
            self._objects.change(
                "jobs", name, lambda it: bodies.put_condition(it, "Failed", True, **words)
            )


def _owners(pod: Body) -> list[str]:
    return [each["uid"] for each in pod["metadata"].get("ownerReferences", [])]


def _over(phase: str | None) -> bool:
    return phase in ("Succeeded", "Failed")


def _going(pod: Body) -> bool:
    return "deletionTimestamp" in pod["metadata"]


def _active(phase: str | None, pod: Body) -> bool:
    return not _over(phase) and not _going(pod)
