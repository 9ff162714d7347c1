"""Which diagnoses are believed by now: what may pass by itself must have lasted."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from videoannotator.domain.failures import Code, Failure
from videoannotator.scheduler.launchers.kubernetes.diagnose import due
from videoannotator.scheduler.launchers.kubernetes.views import PodView


def utc_now() -> datetime:
    """The time of this machine."""
    return datetime.now(UTC)


class Beliefs:
    """Remembers since when each worker has had its diagnosis."""

    def __init__(self, now: Callable[[], datetime] = utc_now) -> None:
        """Compares times of one clock only."""
        self._now = now
        self._since: dict[str, tuple[Code, datetime]] = {}

    def believed(
        self, worker_id: str, failure: Failure | None, pod: PodView | None
    ) -> Failure | None:
        """The diagnosis of this look when it is to be believed, else None."""
        if failure is None:
            self._since.pop(worker_id, None)
            return None
        now = self._now()
        code, since = self._since.get(worker_id, (None, now))
        if code is not failure.code:
            since = now
        self._since[worker_id] = (failure.code, since)
        return failure if due(failure, pod, since, now) else None

    def forget(self, known: Iterable[str]) -> None:
        """Keeps nothing but what concerns the workers `known`."""
        for worker_id in self._since.keys() - set(known):
            del self._since[worker_id]
