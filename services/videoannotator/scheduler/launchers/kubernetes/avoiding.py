"""Which nodes had better not get the next worker: a memory of this leader, and only a wish."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from videoannotator.domain.failures import RULES, Failure, Remedy
from videoannotator.scheduler.launchers.kubernetes.views import PodView

AVOIDED_SECONDS = 1800.0
#: A pod that takes so much longer than its grace to end says something about its node.
STUCK_SECONDS = 300.0


class Avoided:
    """Nodes that failed a worker lately. Times are seconds of the monotonic clock."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Avoids none."""
        self._clock = clock
        self._until: dict[str, float] = {}

    def judge(self, pod: PodView | None, failure: Failure | None, now: datetime) -> None:
        """Notes the pod's node when it is to blame for `failure`, or does not end the pod."""
        if pod is not None and pod.node_name and (_to_blame(failure) or _stuck(pod, now)):
            self._until[pod.node_name] = self._clock() + AVOIDED_SECONDS

    def nodes(self) -> tuple[str, ...]:
        """Those that are avoided now, by name."""
        now = self._clock()
        self._until = {node: until for node, until in self._until.items() if until > now}
        return tuple(sorted(self._until))


def _to_blame(failure: Failure | None) -> bool:
    return failure is not None and RULES[failure.code].remedy is Remedy.RETRY_ELSEWHERE


def _stuck(pod: PodView, now: datetime) -> bool:
    """The time of deletion is when the grace ends."""
    if pod.ended or pod.deletion_timestamp is None:
        return False
    return now - pod.deletion_timestamp >= timedelta(seconds=STUCK_SECONDS)
