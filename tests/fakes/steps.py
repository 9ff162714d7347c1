"""The steps of the scheduler's protocols, at any of which a test's own child process can die.

The parts are wrapped from outside, in the child alone: nothing in them knows of it.
"""

import functools
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

from videoannotator.blobs.files import FileBlobs
from videoannotator.rpc.worker import WorkerClient
from videoannotator.scheduler import shell
from videoannotator.scheduler.launchers.process import ProcessLauncher
from videoannotator.store.leader import Leader
from videoannotator.store.rows import Changes, JobRows
from videoannotator.store.schedule import Schedule, SchedulerTransaction
from videoannotator.store.videos import Videos


class Steps:
    """Passes each step once, by name: what a timer repeats counts once."""

    def __init__(
        self, reached: Path, die_at: str, act_at: str, act: Callable[[], Awaitable[None]]
    ) -> None:
        """Appends each step to `reached`; at `act_at` somebody does `act`; `die_at` is the last."""
        self._reached = reached
        self._die_at = die_at
        self._act_at = act_at
        self._act = act
        self._passed: set[str] = set()
        self._attempts: dict[str, int] = {}

    async def reach(self, step: str) -> None:
        """A step outside of a transaction."""
        if step == self._act_at and step not in self._passed:
            await self._act()
        self.strike(step)

    def strike(self, step: str) -> None:
        """A step: when it is the last one, no `finally` runs any more."""
        if step not in self._passed:
            self._passed.add(step)
            append(self._reached, step)
        if step == self._die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def attempt(self, target: str) -> int:
        """The attempt of the worker whose id is in `target`; 0: not known."""
        return next((n for worker, n in self._attempts.items() if worker in target), 0)

    def learn(self, worker: Any) -> None:
        """Remembers of which attempt a worker is."""
        self._attempts[worker.id] = worker.attempt


def append(path: Path, line: str) -> None:
    """One line in one write: lines of many processes never mix."""
    handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(handle, f"{line}\n".encode())
    finally:
        os.close(handle)


def wrap(steps: Steps) -> None:
    """Wraps everything by which a scheduler has an effect: rows, leadership, workers, bytes."""
    around(steps, Leader, "acquire", lambda *_: "acquire")
    around(steps, Leader, "renew", lambda *_: "renew")
    around(steps, Leader, "give_up", lambda *_: "give up")
    around(steps, Videos, "forget", lambda *_: "forget video")
    around(steps, FileBlobs, "delete_prefix", lambda key: f"delete {key.split('/')[0]}")
    around(steps, shell, "examine", lambda _, place: f"examine {place.attempt}")
    _wrap_launcher(steps)
    wrap_client(steps)
    wrap_transactions(steps)


def around(steps: Steps, owner: Any, name: str, step: Callable[..., str]) -> None:
    """A step before and one after each call of a coroutine function."""
    original = getattr(owner, name)
    itself = 1 if isinstance(owner, type) else 0

    @functools.wraps(original)
    async def stepped(*arguments: Any, **named: Any) -> Any:
        words = step(*arguments[itself:])
        await steps.reach(f"before {words}")
        result = await original(*arguments, **named)
        await steps.reach(f"after {words}")
        return result

    setattr(owner, name, stepped)


def _wrap_launcher(steps: Steps) -> None:
    observe = ProcessLauncher.observe

    async def learning(self: ProcessLauncher, workers: Any) -> Any:
        for worker in workers:
            steps.learn(worker)
        return await observe(self, workers)

    def of(verb: str) -> Callable[..., str]:
        def step(worker: Any) -> str:
            steps.learn(worker)
            return f"{verb} {worker.attempt}"

        return step

    ProcessLauncher.observe = learning  # type: ignore[method-assign]
    around(steps, ProcessLauncher, "create", of("create"))
    around(steps, ProcessLauncher, "terminate", of("terminate"))
    around(steps, ProcessLauncher, "forget", lambda _: "forget worker")


def wrap_client(steps: Steps) -> None:
    """Steps around each call to a worker, and one for each message of it."""
    original, annotate = WorkerClient.__init__, WorkerClient.annotate

    def init(self: Any, target: str, *arguments: Any, **named: Any) -> None:
        original(self, target, *arguments, **named)
        self.of_attempt = steps.attempt(target)

    async def stepped(self: Any, *arguments: Any) -> AsyncIterator[Any]:
        await steps.reach(f"before annotate {self.of_attempt}")
        async with aclosing(annotate(self, *arguments)) as events:  # type: ignore[type-var]
            async for event in events:
                await steps.reach(f"{type(event).__name__.lower()} {self.of_attempt}")
                yield event

    WorkerClient.__init__ = init  # type: ignore[method-assign]
    WorkerClient.annotate = stepped  # type: ignore[assignment, method-assign]
    for name in ("describe", "keep_alive", "stop"):
        _around_call(steps, name)


def _around_call(steps: Steps, name: str) -> None:
    original = getattr(WorkerClient, name)

    async def stepped(self: Any, *arguments: Any) -> Any:
        await steps.reach(f"before {name} {self.of_attempt}")
        result = await original(self, *arguments)
        await steps.reach(f"after {name} {self.of_attempt}")
        return result

    setattr(WorkerClient, name, stepped)


class _Watched(SchedulerTransaction):
    """A transaction whose writes are steps of their own."""

    steps: Steps
    words: list[str]

    def begin(self, words: str) -> None:
        self.words.append(words)
        self.steps.strike(f"about to write: {words}")

    async def write(self, rows: JobRows, changes: Changes) -> JobRows:
        self.begin("; ".join(described(rows, changes)))
        return await super().write(rows, changes)

    async def progress(self, *arguments: Any) -> None:
        self.begin("progress")
        await super().progress(*arguments)

    async def purge(self, *arguments: Any) -> Any:
        self.begin("purge")
        return await super().purge(*arguments)


def wrap_transactions(steps: Steps) -> None:
    """Steps before, inside and after each transaction of a scheduler."""
    original = Schedule.transaction

    @asynccontextmanager
    async def transaction(self: Schedule, epoch: int) -> AsyncIterator[SchedulerTransaction]:
        words: list[str] = []
        async with original(self, epoch) as plain:
            plain.__class__ = _Watched
            plain.steps, plain.words = steps, words  # type: ignore[attr-defined]
            yield plain
            for each in words:
                steps.strike(f"written: {each}")
        for each in words:
            await steps.reach(f"committed: {each}")

    Schedule.transaction = transaction  # type: ignore[assignment, method-assign]


def described(rows: JobRows, changes: Changes) -> Iterator[str]:
    """What a transaction changes, in words that are the same in every life of the job."""
    for run in changes.runs:
        yield f"run {run.state}"
    for attempt in changes.attempts:
        yield f"attempt {attempt.number} {'open' if attempt.open else attempt.outcome}"
    for worker in changes.workers:
        sent = " (create sent)" if worker.state == "launching" and worker.create_sent_at else ""
        yield f"worker {worker.attempt} {worker.state}{sent}"
    if changes.probe is not None:
        yield "probe"


def record_epochs(path: Path, freeze_at: int) -> None:
    """Appends the epoch of each transaction, inside of it: in the order in which they commit.

    Stops the process before the transaction of that number, which is about to begin: 0 is none.
    """
    original = Schedule.transaction
    begun = 0

    @asynccontextmanager
    async def transaction(self: Schedule, epoch: int) -> AsyncIterator[SchedulerTransaction]:
        nonlocal begun
        begun += 1
        if begun == freeze_at:
            os.kill(os.getpid(), signal.SIGSTOP)
        async with original(self, epoch) as plain:
            yield plain
            append(path, str(epoch))

    Schedule.transaction = transaction  # type: ignore[assignment, method-assign]
