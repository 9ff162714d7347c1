"""The scheduler and the nodes of a fake cluster."""

import asyncio
import os
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

from tests.fakes.kube import bodies
from tests.fakes.kube.objects import Body, Objects, timestamp
from tests.fakes.kube.running import Container, Runner, Running

GPU = "nvidia.com/gpu"
NODE = "node-1"
SIGTERM_EXIT = 143
FIELDS = ("name", "namespace", "uid")
#: Every pod listens on the same port, and other tests run beside this process: so a process has a
#: network of its own below 127, and gives each pod another address of it.
NETWORK = f"127.{64 + os.getpid() % 64}.{os.getpid() // 64 % 256}"
ADDRESSES = cycle(range(2, 255))


class Nodes:
    """Places pods, runs their containers where there is a runner, and stops them."""

    def __init__(
        self,
        objects: Objects,
        changed: Callable[[Body], None],
        runner: Runner | None,
        gpus: int | None,
    ) -> None:
        """`changed` hears of every pod that changed; `gpus` None: as many as are asked for."""
        self._objects = objects
        self._changed = changed
        self._runner = runner
        self._gpus = gpus
        self._running: dict[str, Running] = {}
        self._logs: dict[str, str] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ends: dict[str, Callable[[str], object]] = {}

    def schedule(self) -> None:
        """Places waiting pods where there is room; only when containers really run."""
        if self._runner is None:
            return
        for pod in self._objects.all("pods"):
            waits = not pod["spec"].get("nodeName") and "deletionTimestamp" not in pod["metadata"]
            if waits and self._has_room(pod):
                self._start(self._runner, pod["metadata"]["name"])

    def on(self, node: str) -> list[Body]:
        """The pods of one node."""
        return [pod for pod in self._objects.all("pods") if pod["spec"].get("nodeName") == node]

    def running(self, pod: str) -> Running:
        """The container of a pod that really runs."""
        return self._running[pod]

    def log_of(self, pod: Body) -> str | None:
        """What its container wrote; None when it has not started."""
        name = pod["metadata"]["name"]
        if name in self._running:
            return self._running[name].log()
        started = pod["status"].get("phase") in ("Running", "Succeeded", "Failed")
        return self._logs.get(name, "" if started else None)

    def place(self, pod: str, node: str) -> None:
        """Binds a pod to a node."""

        def bind(it: Body) -> None:
            it["spec"]["nodeName"] = node
            it["status"]["startTime"] = timestamp()
            bodies.put_condition(it, "PodScheduled", True)
            bodies.put_state(it, "waiting", reason="ContainerCreating")

        self._edit(pod, bind)

    def run(self, pod: str, ip: str) -> None:
        """The container runs."""

        def begin(it: Body) -> None:
            it["status"].update(phase="Running", podIP=ip, podIPs=[{"ip": ip}])
            bodies.put_condition(it, "Ready", True)
            bodies.put_state(it, "running", startedAt=timestamp())

        self._edit(pod, begin)

    def finish(self, pod: str, code: int, message: str, reason: str) -> None:
        """The container has ended."""
        told = reason or ("Completed" if code == 0 else "Error")

        def end(it: Body) -> None:
            it["status"]["phase"] = "Succeeded" if code == 0 else "Failed"
            words = {"exitCode": code, "reason": told, "message": message}
            bodies.put_condition(it, "Ready", False)
            bodies.put_state(it, "terminated", finishedAt=timestamp(), **words)

        self._edit(pod, end)

    def stop(self, pod: str, then: Callable[[str], object]) -> None:
        """Ends a pod that is being deleted: SIGTERM, its grace, SIGKILL; `then` removes it."""
        self._ends[pod] = then
        running = self._running.get(pod)
        if running is None:
            self._end(pod, SIGTERM_EXIT, "")
            return
        running.terminate()
        found = self._objects.get("pods", pod)
        grace = _grace(found) if found else 0.0
        asyncio.get_running_loop().call_later(grace, running.kill)

    async def close(self) -> None:
        """Kills every container and starts no other."""
        self._runner = None
        for running in list(self._running.values()):
            running.kill()
        await asyncio.gather(*self._tasks)

    def _start(self, start: Runner, pod: str) -> None:
        self.place(pod, NODE)
        ip = f"{NETWORK}.{next(ADDRESSES)}"
        task = asyncio.create_task(self._live(start, pod, ip))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _live(self, start: Runner, pod: str, ip: str) -> None:
        """The life of a container that really runs."""
        found = self._objects.get("pods", pod)
        assert found is not None
        running = await start(_container(found, ip))
        self._running[pod] = running
        now = self._objects.get("pods", pod)
        if now is None or _over(now):  # deleted while it was starting
            running.kill()
        else:
            self.run(pod, ip)
        ended = await running.wait()
        self._logs[pod] = running.log()
        del self._running[pod]
        self._end(pod, ended.code, ended.message)

    def _end(self, pod: str, code: int, message: str) -> None:
        found = self._objects.get("pods", pod)
        if found is None:
            return  # it was deleted by force meanwhile
        if found["status"].get("phase") not in ("Succeeded", "Failed"):
            self.finish(pod, code, message, "")
        then = self._ends.pop(pod, None)
        if then is not None:
            then(pod)

    def _has_room(self, pod: Body) -> bool:
        if self._gpus is None or not _gpus(pod):
            return True
        held = sum(_gpus(each) for each in self.on(NODE) if not _over(each))
        return held + _gpus(pod) <= self._gpus

    def _edit(self, pod: str, edit: Any) -> None:
        self._changed(self._objects.change("pods", pod, edit))


def _over(pod: Body) -> bool:
    return pod["status"].get("phase") in ("Succeeded", "Failed")


def _gpus(pod: Body) -> int:
    limits = (each.get("resources", {}).get("limits", {}) for each in pod["spec"]["containers"])
    return sum(int(each.get(GPU, 0)) for each in limits)


def _grace(pod: Body) -> float:
    """What the deletion says; before it, what the pod asks for."""
    own = pod["spec"].get("terminationGracePeriodSeconds", bodies.GRACE_SECONDS)
    return float(pod["metadata"].get("deletionGracePeriodSeconds", own))


def _container(pod: Body, ip: str) -> Container:
    first = pod["spec"]["containers"][0]
    return Container(
        pod=pod["metadata"]["name"],
        command=[*first.get("command", []), *first.get("args", [])],
        environment=dict(_environment(pod, ip, first.get("env", []))),
        pod_ip=ip,
        grace_seconds=_grace(pod),
    )


def _environment(pod: Body, ip: str, entries: list[Body]) -> Iterator[tuple[str, str]]:
    """Plain values, and fields of the pod itself."""
    fields = {f"metadata.{name}": str(pod["metadata"].get(name)) for name in FIELDS}
    fields["status.podIP"] = ip
    for entry in entries:
        path = entry.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath")
        if path is not None:
            yield entry["name"], fields[path]
        elif "value" in entry:
            yield entry["name"], entry["value"]
